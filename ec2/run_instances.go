package ec2

import (
	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// RunInstances makes records of instances with their interfaces.
var RunInstances = action.Write[RunInstancesInput, RunInstancesOutput]{
	Name: "RunInstances",
	Doc:  "Launches instances: records of machines that you run, with the network interfaces, addresses and security groups that they are to have.",

	Plan: func(tx *state.Txn, in *RunInstancesInput) (*RunInstancesOutput, error) {
		l, err := newLaunch(tx, in)
		if err != nil {
			return nil, err
		}
		made, err := l.make()
		if err != nil {
			return nil, err
		}
		return launched(tx, made), nil
	},

	Created: func(out *RunInstancesOutput) string { return out.ReservationId },

	Replay: func(tx *state.Txn, in *RunInstancesInput, id string) (*RunInstancesOutput, error) {
		var all []*vpc.Instance
		for i := range state.Instances.By(tx, state.InstancesByReservation, id) {
			if i.State != vpc.Terminated {
				all = append(all, i)
			}
		}
		if len(all) == 0 {
			return nil, fault.IdempotentInstanceTerminated.With(in.ClientToken)
		}
		return launched(tx, all), nil
	},
}

// launched answers with instances of one reservation as they begin: pending,
// with interfaces that are being attached. The next look has them running.
func launched(tx *state.Txn, all []*vpc.Instance) *RunInstancesOutput {
	out := &RunInstancesOutput{ReservationId: all[0].Reservation, OwnerId: string(tx.Account), RequesterId: "", Groups: []GroupIdentifier{}}
	for _, i := range all {
		s := instanceShape(tx, tx.Region, i)
		if i.Launched.Equal(tx.Now) {
			s.State = instanceState("pending")
			s.StateReason = &StateReason{Code: "pending", Message: "pending"}
			s.MetadataOptions.State = "pending"
			if s.Monitoring.State == "enabled" {
				s.Monitoring.State = "pending"
			}
			for n := range s.NetworkInterfaces {
				s.NetworkInterfaces[n].Attachment.Status = "attaching"
			}
		}
		out.Instances = append(out.Instances, s)
	}
	return out
}

// RunInstancesInput is what RunInstances takes.
type RunInstancesInput struct {
	BlockDeviceMappings               []BlockDeviceMapping `in:"BlockDeviceMapping"`
	ImageId                           string
	InstanceType                      string
	Ipv6AddressCount                  *int32
	Ipv6Addresses                     []InstanceIpv6Address `in:"Ipv6Address"`
	KernelId                          string
	KeyName                           string
	MaxCount                          *int32 // required
	MinCount                          *int32 // required
	Monitoring                        *RunInstancesMonitoringEnabled
	Placement                         *Placement
	RamdiskId                         string
	SecurityGroupIds                  []string `in:"SecurityGroupId"`
	SecurityGroups                    []string `in:"SecurityGroup"`
	SubnetId                          string
	UserData                          string
	ElasticGpuSpecification           []ElasticGpuSpecification
	ElasticInferenceAccelerators      []ElasticInferenceAccelerator `in:"ElasticInferenceAccelerator"`
	TagSpecifications                 []TagSpecification            `in:"TagSpecification"`
	LaunchTemplate                    *LaunchTemplateSpecification
	InstanceMarketOptions             *InstanceMarketOptionsRequest
	CreditSpecification               *CreditSpecificationRequest
	CpuOptions                        *CpuOptionsRequest
	CapacityReservationSpecification  *CapacityReservationSpecification
	HibernationOptions                *HibernationOptionsRequest
	LicenseSpecifications             []LicenseConfigurationRequest `in:"LicenseSpecification"`
	MetadataOptions                   *InstanceMetadataOptionsRequest
	EnclaveOptions                    *EnclaveOptionsRequest
	PrivateDnsNameOptions             *PrivateDnsNameOptionsRequest
	MaintenanceOptions                *InstanceMaintenanceOptionsRequest
	DisableApiStop                    *bool
	EnablePrimaryIpv6                 *bool
	NetworkPerformanceOptions         *InstanceNetworkPerformanceOptionsRequest
	Operator                          *OperatorRequest
	SecondaryInterfaces               []InstanceSecondaryInterfaceSpecificationRequest `in:"SecondaryInterface"`
	DryRun                            bool
	DisableApiTermination             *bool
	InstanceInitiatedShutdownBehavior string
	PrivateIpAddress                  string
	ClientToken                       string
	AdditionalInfo                    string
	NetworkInterfaces                 []InstanceNetworkInterfaceSpecification `in:"NetworkInterface"`
	IamInstanceProfile                *IamInstanceProfileSpecification
	EbsOptimized                      *bool
}

// RunInstancesOutput is what RunInstances gives.
type RunInstancesOutput struct {
	ReservationId string
	OwnerId       string
	RequesterId   string
	Groups        []GroupIdentifier `out:"groupSet,always"`
	Instances     []Instance        `out:"instancesSet"`
}
