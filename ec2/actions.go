// Package ec2 knows the EC2 actions that Moat serves, one file each: what an
// action takes and gives, and what it does to the state. HTTP and etcd are
// the business of others.
package ec2

import (
	"slices"

	"moat/action"
)

// Actions lists every action.
var Actions = slices.Concat(groupActions, prefixListActions, tagActions, vpcActions, subnetActions, placeActions, interfaceActions)

var groupActions = []action.Action{}

var prefixListActions = []action.Action{}

var tagActions = []action.Action{}

var vpcActions = []action.Action{}

var subnetActions = []action.Action{}

// placeActions tell where things can be: regions, zones, and the account.
var placeActions = []action.Action{}

var interfaceActions = []action.Action{}
