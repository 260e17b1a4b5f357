package ec2

import (
	"moat/action"
	"moat/state"
	"moat/vpc"
)

// ModifyInstanceCreditSpecification changes the credit option of burstable
// instances.
var ModifyInstanceCreditSpecification = action.Write[ModifyInstanceCreditSpecificationInput, ModifyInstanceCreditSpecificationOutput]{
	Name: "ModifyInstanceCreditSpecification",
	Doc:  "Changes the option for CPU credits of burstable instances, each for itself: some may fail.",

	Plan: func(tx *state.Txn, in *ModifyInstanceCreditSpecificationInput) (*ModifyInstanceCreditSpecificationOutput, error) {
		out := &ModifyInstanceCreditSpecificationOutput{
			SuccessfulInstanceCreditSpecifications: []SuccessfulInstanceCreditSpecificationItem{}, UnsuccessfulInstanceCreditSpecifications: []UnsuccessfulInstanceCreditSpecificationItem{},
		}
		for _, s := range in.InstanceCreditSpecifications {
			fail := func(code, message string) {
				out.UnsuccessfulInstanceCreditSpecifications = append(out.UnsuccessfulInstanceCreditSpecifications, UnsuccessfulInstanceCreditSpecificationItem{
					InstanceId: s.InstanceId, Error: &UnsuccessfulInstanceCreditSpecificationItemError{Code: code, Message: message},
				})
			}
			if err := oneOf("cpuCredits", s.CpuCredits, "standard", "unlimited"); err != nil {
				return nil, err
			}
			if checkInstanceID(s.InstanceId) != nil {
				fail("InvalidInstanceID.Malformed", `Invalid id: "`+s.InstanceId+`"`)
				continue
			}
			old := state.Instances.Get(tx, vpc.InstanceID(s.InstanceId))
			if old == nil {
				fail("InvalidInstanceID.NotFound", "The instance ID '"+s.InstanceId+"' does not exist")
				continue
			}
			if t := vpc.InstanceTypeNamed(old.Type); t == nil || !t.Burstable {
				fail("InstanceCreditSpecification.NotSupported", "The instance '"+s.InstanceId+"' is not of a burstable type.")
				continue
			}
			i := *old
			i.CPUCredits = s.CpuCredits
			state.Instances.Put(tx, &i)
			out.SuccessfulInstanceCreditSpecifications = append(out.SuccessfulInstanceCreditSpecifications, SuccessfulInstanceCreditSpecificationItem{InstanceId: s.InstanceId})
		}
		return out, nil
	},
}

// ModifyInstanceCreditSpecificationInput is what ModifyInstanceCreditSpecification takes.
type ModifyInstanceCreditSpecificationInput struct {
	DryRun                       bool
	ClientToken                  string
	InstanceCreditSpecifications []InstanceCreditSpecificationRequest `in:"InstanceCreditSpecification"` // required
}

// ModifyInstanceCreditSpecificationOutput is what ModifyInstanceCreditSpecification gives.
type ModifyInstanceCreditSpecificationOutput struct {
	SuccessfulInstanceCreditSpecifications   []SuccessfulInstanceCreditSpecificationItem   `out:"successfulInstanceCreditSpecificationSet"`
	UnsuccessfulInstanceCreditSpecifications []UnsuccessfulInstanceCreditSpecificationItem `out:"unsuccessfulInstanceCreditSpecificationSet"`
}
