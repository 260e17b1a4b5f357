package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DeleteVolume deletes a volume that its instance left.
var DeleteVolume = action.Write[DeleteVolumeInput, DeleteVolumeOutput]{
	Name: "DeleteVolume",
	Doc:  "Deletes a volume that outlived its instance.",

	Plan: func(tx *state.Txn, in *DeleteVolumeInput) (*DeleteVolumeOutput, error) {
		if in.VolumeId == "" {
			return nil, fault.MissingParameter.With("VolumeId")
		}
		if err := checkVolumeID(in.VolumeId); err != nil {
			return nil, err
		}
		v := state.Volumes.Get(tx, vpc.VolumeID(in.VolumeId))
		switch {
		case v == nil:
			return nil, fault.InvalidVolumeNotFound.With(in.VolumeId)
		case v.Instance != "":
			return nil, fault.VolumeInUse.With(v.ID, v.Instance)
		}
		state.Volumes.Delete(tx, v.ID)
		return &DeleteVolumeOutput{Return: true}, nil
	},
}

// DeleteVolumeInput is what DeleteVolume takes.
type DeleteVolumeInput struct {
	VolumeId string // required
	DryRun   bool
}

// DeleteVolumeOutput is what DeleteVolume gives.
type DeleteVolumeOutput struct {
	Return bool
}
