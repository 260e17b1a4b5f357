package ec2

import (
	"strconv"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

var checkVolumeID = wellFormed(vpc.VolumePrefix, fault.InvalidVolumeMalformed)

// DescribeVolumes lists the volumes of instances.
var DescribeVolumes = action.Describe[DescribeVolumesInput, DescribeVolumesOutput, *vpc.Volume, Volume]{
	Name: "DescribeVolumes",
	Doc:  "Lists the volumes that instances were launched with. They are records: nothing is stored in them.",
	List: "volumeSet",

	IDs: func(c *action.Call, in *DescribeVolumesInput) ([]*vpc.Volume, bool, error) {
		return named(c, state.Volumes, in.VolumeIds, checkVolumeID, fault.InvalidVolumeNotFound)
	},
	From: fromKind[DescribeVolumesInput](state.Volumes),
	ID:   func(v *vpc.Volume) string { return string(v.ID) },
	Page: action.Page{WithIDs: fault.InvalidParameterCombination.With("volumeIdSet", "maxResults")},

	Filters: []action.Match[*vpc.Volume]{
		action.On("volume-id", func(v *vpc.Volume) string { return string(v.ID) }).Indexed(findID(state.Volumes)),
		action.On("attachment.instance-id", func(v *vpc.Volume) string { return string(v.Instance) }).Indexed(findBy(state.Volumes, state.VolumesByInstance)),
		action.On("attachment.device", func(v *vpc.Volume) string { return v.Device }),
		action.On("attachment.status", func(v *vpc.Volume) string {
			if v.Instance == "" {
				return ""
			}
			return "attached"
		}),
		action.On("attachment.attach-time", func(v *vpc.Volume) string {
			if v.Instance == "" {
				return ""
			}
			return v.Attached.UTC().Format("2006-01-02T15:04:05.000Z")
		}),
		action.On("attachment.delete-on-termination", func(v *vpc.Volume) string {
			if v.Instance == "" {
				return ""
			}
			return strconv.FormatBool(v.DeleteOnTermination)
		}),
		action.On("availability-zone", func(v *vpc.Volume) string { return v.AvailabilityZone }),
		{Name: "availability-zone-id", Values: func(c *action.Call, v *vpc.Volume, yield func(string)) { yield(zoneIDOf(c, v.AvailabilityZone)) }},
		action.On("create-time", func(v *vpc.Volume) string { return v.Created.UTC().Format("2006-01-02T15:04:05.000Z") }),
		action.OnBool("encrypted", func(v *vpc.Volume) bool { return v.Encrypted }),
		action.On("size", func(v *vpc.Volume) string { return strconv.Itoa(int(v.Size)) }),
		action.On("snapshot-id", func(v *vpc.Volume) string { return v.Snapshot }),
		action.On("status", volumeStatus),
		action.On("volume-type", func(v *vpc.Volume) string { return v.Type }),
		action.OnBool("multi-attach-enabled", func(*vpc.Volume) bool { return false }),
		action.OnBool("fast-restored", func(*vpc.Volume) bool { return false }),
		action.OnBool("operator.managed", func(*vpc.Volume) bool { return false }), never[*vpc.Volume]("operator.principal"),
	},
	Tags: taggedRows(state.Volumes, func(v *vpc.Volume) vpc.Tags { return v.Tags }),

	Shape: func(c *action.Call, v *vpc.Volume) Volume {
		s := Volume{
			VolumeId: string(v.ID), AvailabilityZone: v.AvailabilityZone, AvailabilityZoneId: zoneIDOf(c, v.AvailabilityZone), State: volumeStatus(v), Size: ptr(v.Size), VolumeType: v.Type,
			Iops: nonZero(v.IOPS), Throughput: nonZero(v.Throughput), Encrypted: ptr(v.Encrypted), KmsKeyId: v.KMSKey, SnapshotId: v.Snapshot,
			OwnerId: string(c.Account), VolumeArn: "arn:" + vpc.Partition(c.Region) + ":ec2:" + c.Region + ":" + string(c.Account) + ":volume/" + string(v.ID),
			CreateTime: v.Created, MultiAttachEnabled: ptr(false), Tags: tagsIfAny(v.Tags), Operator: &OperatorResponse{},
		}
		if v.Instance != "" {
			s.Attachments = []VolumeAttachment{{
				AttachTime: v.Attached, DeleteOnTermination: ptr(v.DeleteOnTermination), Device: v.Device, InstanceId: string(v.Instance),
				State: "attached", VolumeId: string(v.ID),
			}}
		}
		return s
	},
	Key: func(v *vpc.Volume) any { return v },
}

func volumeStatus(v *vpc.Volume) string {
	if v.Instance == "" {
		return "available"
	}
	return "in-use"
}

// DescribeVolumesInput is what DescribeVolumes takes.
type DescribeVolumesInput struct {
	VolumeIds               []string `in:"VolumeId"`
	IncludeManagedResources *bool
	DryRun                  bool
	Filters                 []Filter `in:"Filter"`
	NextToken               string
	MaxResults              *int32
}

// DescribeVolumesOutput is what DescribeVolumes gives.
type DescribeVolumesOutput struct {
	NextToken string
	Volumes   []Volume `out:"volumeSet"`
}
