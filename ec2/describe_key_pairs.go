package ec2

import (
	"strings"

	"moat/action"
	"moat/fault"
	"moat/state"
	"moat/vpc"
)

// DescribeKeyPairs lists key pairs.
var DescribeKeyPairs = action.Describe[DescribeKeyPairsInput, DescribeKeyPairsOutput, keyPairRow, KeyPairInfo]{
	Name: "DescribeKeyPairs",
	Doc:  "Lists key pairs: all, by name, by id, or by filter. The public half is shown if it is asked for.",
	List: "keySet",

	IDs: func(c *action.Call, in *DescribeKeyPairsInput) ([]keyPairRow, bool, error) {
		for _, id := range in.KeyPairIds {
			if err := checkKeyPairID(id); err != nil {
				return nil, false, err
			}
		}
		var rows []keyPairRow
		var missing []string
		add := func(k *vpc.KeyPair, called string) {
			if k == nil {
				missing = append(missing, called)
				return
			}
			rows = append(rows, keyPairRow{k, in.withPublic()})
		}
		for _, name := range in.KeyNames {
			add(keyPairNamed(c, name), name)
		}
		for _, id := range in.KeyPairIds {
			add(state.KeyPairs.Get(c, vpc.KeyPairID(id)), id)
		}
		switch len(missing) {
		case 0:
			return rows, len(rows) > 0, nil
		case 1:
			return nil, false, fault.InvalidKeyPairNotFound.With(missing[0])
		}
		return nil, false, fault.InvalidKeyPairsNotFound.With(strings.Join(missing, ", "))
	},
	From: func(c *action.Call, in *DescribeKeyPairsInput, id string) seq[keyPairRow] {
		return func(yield func(keyPairRow) bool) {
			for k := range state.KeyPairs.From(c, vpc.KeyPairID(id)) {
				if !yield(keyPairRow{k, in.withPublic()}) {
					return
				}
			}
		}
	},
	ID: func(k keyPairRow) string { return string(k.ID) },

	Filters: []action.Match[keyPairRow]{
		action.On("key-pair-id", func(k keyPairRow) string { return string(k.ID) }),
		action.On("key-name", func(k keyPairRow) string { return k.Name }),
		action.On("fingerprint", func(k keyPairRow) string { return k.Fingerprint }),
	},
	Tags: &action.Tags[keyPairRow]{Of: func(k keyPairRow) vpc.Tags { return k.Tags }},

	Shape: func(_ *action.Call, k keyPairRow) KeyPairInfo {
		s := KeyPairInfo{
			KeyPairId: string(k.ID), KeyType: k.Type, KeyName: k.Name, KeyFingerprint: k.Fingerprint, CreateTime: k.Created, Tags: tagShapes(k.Tags),
		}
		if k.public {
			s.PublicKey = k.Public
		}
		return s
	},
}

// A keyPairRow is a key pair as a request wants to see it.
type keyPairRow struct {
	*vpc.KeyPair
	public bool
}

func (in *DescribeKeyPairsInput) withPublic() bool {
	return in.IncludePublicKey != nil && *in.IncludePublicKey
}

// DescribeKeyPairsInput is what DescribeKeyPairs takes.
type DescribeKeyPairsInput struct {
	KeyNames         []string `in:"KeyName"`
	KeyPairIds       []string `in:"KeyPairId"`
	IncludePublicKey *bool
	DryRun           bool
	Filters          []Filter `in:"Filter"`
}

// DescribeKeyPairsOutput is what DescribeKeyPairs gives.
type DescribeKeyPairsOutput struct {
	KeyPairs []KeyPairInfo `out:"keySet"`
}
