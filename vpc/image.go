package vpc

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// An Image is a machine image of the catalogue. There is nothing to boot from:
// an image says what a configuration asks of it, and no more.
type Image struct {
	ID, Snapshot string
	*imageKind

	Name, Description string
	Arch              string // x86_64 or arm64
	Boot              string
}

// An imageKind is what the images of one release have in common.
type imageKind struct {
	names       string // with ARCH for the architecture
	description string
	Owner       AccountID
	Created     string
	RootDevice  string
	Size        int32 // GiB
	VolumeType  string
	// IMDS is v2.0 for images whose instances ask for tokens.
	IMDS string
	arch map[string]string // the publisher's word for each architecture
	boot map[string]string
}

// Their publishers' accounts in the regions of AWS.
const (
	amazonOwner    AccountID = "137112412989"
	canonicalOwner AccountID = "099720109477"
	debianOwner    AccountID = "136693071363"
)

var (
	plainArch  = map[string]string{"x86_64": "x86_64", "arm64": "arm64"}
	debianArch = map[string]string{"x86_64": "amd64", "arm64": "arm64"}
	modernBoot = map[string]string{"x86_64": "uefi-preferred", "arm64": "uefi"}
	olderBoot  = map[string]string{"x86_64": "", "arm64": "uefi"}
)

// imageKinds is the catalogue.
var imageKinds = []*imageKind{
	{"al2023-ami-2023.7.20250609.0-kernel-6.1-ARCH", "Amazon Linux 2023 AMI 2023.7.20250609.0 ARCH HVM kernel-6.1",
		amazonOwner, "2025-06-09T19:00:00.000Z", "/dev/xvda", 8, "gp3", "v2.0", plainArch, modernBoot},
	{"al2023-ami-minimal-2023.7.20250609.0-kernel-6.1-ARCH", "Amazon Linux 2023 AMI 2023.7.20250609.0 ARCH Minimal HVM kernel-6.1",
		amazonOwner, "2025-06-09T19:00:01.000Z", "/dev/xvda", 2, "gp3", "v2.0", plainArch, modernBoot},
	{"amzn2-ami-hvm-2.0.20250610.0-ARCH-gp2", "Amazon Linux 2 AMI 2.0.20250610.0 ARCH HVM gp2",
		amazonOwner, "2025-06-10T19:00:00.000Z", "/dev/xvda", 8, "gp2", "", plainArch, olderBoot},
	{"ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-ARCH-server-20250610", "Canonical, Ubuntu, 22.04, ARCH jammy image",
		canonicalOwner, "2025-06-10T05:00:00.000Z", "/dev/sda1", 8, "gp2", "", debianArch, modernBoot},
	{"ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-ARCH-server-20250610", "Canonical, Ubuntu, 24.04, ARCH noble image",
		canonicalOwner, "2025-06-10T06:00:00.000Z", "/dev/sda1", 8, "gp3", "v2.0", debianArch, modernBoot},
	{"debian-12-ARCH-20250520-2118", "Debian 12 (20250520-2118)",
		debianOwner, "2025-05-20T21:30:00.000Z", "/dev/xvda", 8, "gp3", "", debianArch, modernBoot},
	{"debian-13-ARCH-20250814-2204", "Debian 13 (20250814-2204)",
		debianOwner, "2025-08-14T22:10:00.000Z", "/dev/xvda", 8, "gp3", "", debianArch, modernBoot},
}

// Images gives the catalogue of a region in the order of ids, which differ
// from region to region and never change.
func Images(region string) []*Image {
	var out []*Image
	for _, k := range imageKinds {
		for _, arch := range []string{"x86_64", "arm64"} {
			name := strings.ReplaceAll(k.names, "ARCH", k.arch[arch])
			sum := sha256.Sum256([]byte("image " + region + "/" + name))
			out = append(out, &Image{
				ID: ImagePrefix + "-0" + hex.EncodeToString(sum[:8]), Snapshot: SnapshotPrefix + "-0" + hex.EncodeToString(sum[8:16]),
				imageKind: k, Name: name, Description: strings.ReplaceAll(k.description, "ARCH", k.arch[arch]), Arch: arch, Boot: k.boot[arch],
			})
		}
	}
	slices.SortFunc(out, func(a, b *Image) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// ImageWithID finds an image of a region, or gives nil.
func ImageWithID(region, id string) *Image {
	for _, i := range Images(region) {
		if i.ID == id {
			return i
		}
	}
	return nil
}
