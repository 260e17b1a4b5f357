package state

import "moat/vpc"

// The kinds around instances.
var (
	Instances = &Kind[vpc.InstanceID, vpc.Instance]{
		n: instances, name: "instance", key: func(i *vpc.Instance) vpc.InstanceID { return i.ID },
		resource: "instance", idPrefix: vpc.InstancePrefix, tags: func(i *vpc.Instance) *vpc.Tags { return &i.Tags },
		indexes: []*Index[vpc.Instance]{InstancesByReservation, InstancesByVPC, InstancesBySubnet},
	}
	InstancesByReservation = &Index[vpc.Instance]{0, func(i *vpc.Instance, yield func(string)) { yield(i.Reservation) }}
	InstancesByVPC         = &Index[vpc.Instance]{1, func(i *vpc.Instance, yield func(string)) { yield(string(i.VPC)) }}
	InstancesBySubnet      = &Index[vpc.Instance]{2, func(i *vpc.Instance, yield func(string)) { yield(string(i.Subnet)) }}

	Volumes = &Kind[vpc.VolumeID, vpc.Volume]{
		n: volumes, name: "vol", key: func(v *vpc.Volume) vpc.VolumeID { return v.ID },
		resource: "volume", idPrefix: vpc.VolumePrefix, tags: func(v *vpc.Volume) *vpc.Tags { return &v.Tags },
		indexes: []*Index[vpc.Volume]{VolumesByInstance},
	}
	VolumesByInstance = &Index[vpc.Volume]{0, func(v *vpc.Volume, yield func(string)) {
		if v.Instance != "" {
			yield(string(v.Instance))
		}
	}}

	KeyPairs = &Kind[vpc.KeyPairID, vpc.KeyPair]{
		n: keyPairs, name: "keypair", key: func(k *vpc.KeyPair) vpc.KeyPairID { return k.ID },
		resource: "key-pair", idPrefix: vpc.KeyPairPrefix, tags: func(k *vpc.KeyPair) *vpc.Tags { return &k.Tags },
		indexes: []*Index[vpc.KeyPair]{KeyPairsByName},
	}
	KeyPairsByName = &Index[vpc.KeyPair]{0, func(k *vpc.KeyPair, yield func(string)) { yield(k.Name) }}

	Addresses = &Kind[vpc.AllocationID, vpc.Address]{
		n: addresses, name: "eip", key: func(a *vpc.Address) vpc.AllocationID { return a.ID },
		resource: "elastic-ip", idPrefix: vpc.AllocationPrefix, tags: func(a *vpc.Address) *vpc.Tags { return &a.Tags },
		indexes: []*Index[vpc.Address]{AddressesByIP},
	}
	AddressesByIP = &Index[vpc.Address]{0, func(a *vpc.Address, yield func(string)) { yield(a.Address.String()) }}
)
