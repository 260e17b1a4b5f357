package ec2

import (
	"moat/action"
	"moat/state"
)

// ModifyInstanceMaintenanceOptions changes what would happen at maintenance.
var ModifyInstanceMaintenanceOptions = action.Write[ModifyInstanceMaintenanceOptionsInput, ModifyInstanceMaintenanceOptionsOutput]{
	Name: "ModifyInstanceMaintenanceOptions",
	Doc:  "Changes the maintenance options of an instance, which are kept and shown.",

	Plan: func(tx *state.Txn, in *ModifyInstanceMaintenanceOptionsInput) (*ModifyInstanceMaintenanceOptionsOutput, error) {
		old, err := instanceOf(tx, in.InstanceId)
		if err != nil {
			return nil, err
		}
		i := *old
		if in.AutoRecovery != "" {
			if err := oneOf("autoRecovery", in.AutoRecovery, "default", "disabled"); err != nil {
				return nil, err
			}
			i.AutoRecovery = in.AutoRecovery
		}
		if in.RebootMigration != "" {
			if err := oneOf("rebootMigration", in.RebootMigration, "default", "disabled"); err != nil {
				return nil, err
			}
			i.RebootMigration = in.RebootMigration
		}
		state.Instances.Put(tx, &i)
		m := maintenanceShape(&i)
		return &ModifyInstanceMaintenanceOptionsOutput{InstanceId: in.InstanceId, AutoRecovery: m.AutoRecovery, RebootMigration: m.RebootMigration}, nil
	},
}

// ModifyInstanceMaintenanceOptionsInput is what ModifyInstanceMaintenanceOptions takes.
type ModifyInstanceMaintenanceOptionsInput struct {
	InstanceId      string // required
	AutoRecovery    string
	RebootMigration string
	DryRun          bool
}

// ModifyInstanceMaintenanceOptionsOutput is what ModifyInstanceMaintenanceOptions gives.
type ModifyInstanceMaintenanceOptionsOutput struct {
	InstanceId      string
	AutoRecovery    string
	RebootMigration string
}
