// Package iam knows principals, the keys they sign with, and the policies that
// say what they may do. ParsePolicy reads a policy, Decide says whether a
// request is allowed and why not. Which actions exist, what each needs, and
// where policies are kept is the business of others.
package iam
