package ec2

import (
	"slices"
	"strconv"

	"moat/action"
	"moat/fault"
	"moat/vpc"
)

// DescribeImages lists the catalogue of images.
var DescribeImages = action.Describe[DescribeImagesInput, DescribeImagesOutput, *vpc.Image, Image]{
	Name: "DescribeImages",
	Doc:  "Lists the images that instances may be launched from: a small catalogue, with ids that never change.",
	List: "imagesSet",

	IDs: func(c *action.Call, in *DescribeImagesInput) ([]*vpc.Image, bool, error) {
		for _, id := range in.ImageIds {
			if !vpc.WellFormed(vpc.ImagePrefix, id) {
				return nil, false, fault.InvalidAMIIDMalformed.With(id)
			}
		}
		var rows []*vpc.Image
		for _, id := range in.ImageIds {
			i := vpc.ImageWithID(c.Region, id)
			if i == nil {
				return nil, false, fault.InvalidAMIIDNotFound.With(id)
			}
			if offeredTo(c, in, i) {
				rows = append(rows, i)
			}
		}
		return rows, len(in.ImageIds) > 0, nil
	},
	From: func(c *action.Call, in *DescribeImagesInput, from string) seq[*vpc.Image] {
		return func(yield func(*vpc.Image) bool) {
			for _, i := range vpc.Images(c.Region) {
				if i.ID >= from && offeredTo(c, in, i) && !yield(i) {
					return
				}
			}
		}
	},
	ID:   func(i *vpc.Image) string { return i.ID },
	Page: action.Page{Min: 5, Max: 1000, WithIDs: fault.InvalidParameterCombination.With("imageIdSet", "maxResults")},

	Filters: imageFilters,
	Tags:    &action.Tags[*vpc.Image]{Of: func(*vpc.Image) vpc.Tags { return nil }},
	Shape:   func(_ *action.Call, i *vpc.Image) Image { return imageShape(i) },
}

// offeredTo reports whether an image is one of the owners' that a request
// names, and may be launched by those it names. All of the catalogue are public,
// and their publishers are verified ones, which "amazon" stands for.
func offeredTo(c *action.Call, in *DescribeImagesInput, i *vpc.Image) bool {
	owned := len(in.Owners) == 0 || slices.ContainsFunc(in.Owners, func(o string) bool {
		return o == "amazon" || o == string(i.Owner) || o == "self" && c.Account == i.Owner
	})
	return owned && (len(in.ExecutableUsers) == 0 || slices.Contains(in.ExecutableUsers, "all"))
}

func imageConst(name, value string) action.Match[*vpc.Image] {
	return action.On(name, func(*vpc.Image) string { return value })
}

var imageFilters = []action.Match[*vpc.Image]{
	action.On("image-id", func(i *vpc.Image) string { return i.ID }),
	action.On("name", func(i *vpc.Image) string { return i.Name }),
	action.On("description", func(i *vpc.Image) string { return i.Description }),
	action.On("architecture", func(i *vpc.Image) string { return i.Arch }),
	action.On("owner-id", func(i *vpc.Image) string { return string(i.Owner) }),
	action.On("creation-date", func(i *vpc.Image) string { return i.Created }),
	action.On("root-device-name", func(i *vpc.Image) string { return i.RootDevice }),
	action.On("block-device-mapping.device-name", func(i *vpc.Image) string { return i.RootDevice }),
	action.On("block-device-mapping.snapshot-id", func(i *vpc.Image) string { return i.Snapshot }),
	action.On("block-device-mapping.volume-size", func(i *vpc.Image) string { return strconv.Itoa(int(i.Size)) }),
	action.On("block-device-mapping.volume-type", func(i *vpc.Image) string { return i.VolumeType }),
	action.On("manifest-location", func(i *vpc.Image) string { return imageLocation(i) }),
	action.On("boot-mode", func(i *vpc.Image) string { return i.Boot }),
	imageConst("block-device-mapping.delete-on-termination", "true"), imageConst("block-device-mapping.encrypted", "false"),
	imageConst("ena-support", "true"), imageConst("hypervisor", "xen"), imageConst("image-type", "machine"), imageConst("is-public", "true"),
	imageConst("owner-alias", "amazon"), imageConst("root-device-type", "ebs"), imageConst("state", "available"),
	imageConst("virtualization-type", "hvm"), imageConst("sriov-net-support", "simple"), imageConst("image-allowed", "true"),
	never[*vpc.Image]("kernel-id"), never[*vpc.Image]("platform"), never[*vpc.Image]("product-code"), never[*vpc.Image]("product-code.type"),
	never[*vpc.Image]("ramdisk-id"), never[*vpc.Image]("state-reason-code"), never[*vpc.Image]("state-reason-message"),
	never[*vpc.Image]("source-instance-id"), never[*vpc.Image]("source-image-id"), never[*vpc.Image]("source-image-region"),
}

func imageLocation(i *vpc.Image) string { return "amazon/" + i.Name }

// imageShape gives an image as it is described.
func imageShape(i *vpc.Image) Image {
	return Image{
		ImageId: i.ID, ImageLocation: imageLocation(i), State: "available", OwnerId: string(i.Owner), CreationDate: i.Created, Public: ptr(true),
		Architecture: i.Arch, ImageType: "machine", Name: i.Name, Description: i.Description, ImageOwnerAlias: "amazon",
		PlatformDetails: "Linux/UNIX", UsageOperation: "RunInstances", EnaSupport: ptr(true), Hypervisor: "xen", VirtualizationType: "hvm",
		RootDeviceName: i.RootDevice, RootDeviceType: "ebs", SriovNetSupport: "simple", BootMode: i.Boot, ImdsSupport: i.IMDS,
		DeregistrationProtection: "disabled",
		BlockDeviceMappings: []BlockDeviceMapping{{DeviceName: i.RootDevice, Ebs: &EbsBlockDevice{
			DeleteOnTermination: ptr(true), SnapshotId: i.Snapshot, VolumeSize: ptr(i.Size), VolumeType: i.VolumeType, Encrypted: ptr(false),
		}}},
	}
}

// DescribeImagesInput is what DescribeImages takes.
type DescribeImagesInput struct {
	ExecutableUsers   []string `in:"ExecutableBy"`
	ImageIds          []string `in:"ImageId"`
	Owners            []string `in:"Owner"`
	IncludeDeprecated *bool
	IncludeDisabled   *bool
	MaxResults        *int32
	NextToken         string
	DryRun            bool
	Filters           []Filter `in:"Filter"`
}

// DescribeImagesOutput is what DescribeImages gives.
type DescribeImagesOutput struct {
	NextToken string
	Images    []Image `out:"imagesSet"`
}
