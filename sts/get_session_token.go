package sts

import (
	"time"

	"moat/action"
	"moat/fault"
)

// GetSessionToken gives temporary credentials of the calling user, or of the root.
var GetSessionToken = action.Read[GetSessionTokenInput, GetSessionTokenOutput]{
	Name: "GetSessionToken",
	Doc:  `Gives temporary credentials of the calling user, or of the root.`,
	Read: func(c *action.Call, in *GetSessionTokenInput) (*GetSessionTokenOutput, error) {
		if c.Caller.Session != nil {
			return nil, fault.AccessDenied.With("Cannot call GetSessionToken with session credentials")
		}
		if in.TokenCode != "" || in.SerialNumber != "" {
			return nil, noSecondFactor()
		}
		s := newSession(c, in.DurationSeconds, 12*time.Hour)
		if c.Caller.IsRoot() {
			s.Expires = earlier(s.Expires, s.Issued.Add(time.Hour)) // API reference: an hour at most
		} else {
			s.User = c.Caller.ID
		}
		out := &GetSessionTokenOutput{}
		out.Credentials, out.SessionTokenSize, out.SessionTokenUtilization = credentialsOf(c, s, in.MinimumSessionTokenSize)
		return out, nil
	},
}

// GetSessionTokenInput is what GetSessionToken takes.
type GetSessionTokenInput struct {
	DurationSeconds         *int32 `valid:"min=900,max=129600"`
	SerialNumber            string `valid:"min=9,max=256" pattern:"[\\w+=/:,.@-]*"`
	TokenCode               string `valid:"min=6,max=6" pattern:"[\\d]*"`
	MinimumSessionTokenSize *int32 `valid:"max=4096"`
}

// GetSessionTokenOutput is what GetSessionToken gives.
type GetSessionTokenOutput struct {
	Credentials             *Credentials
	SessionTokenSize        *int32
	SessionTokenUtilization *int32
}
