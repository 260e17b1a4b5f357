package iamapi

import (
	"moat/action"
)

// GetAccountSummary counts what the account has in IAM, beside its quotas.
var GetAccountSummary = action.Read[GetAccountSummaryInput, GetAccountSummaryOutput]{
	Name: "GetAccountSummary",
	Doc:  `Counts what the account has in IAM, beside its quotas.`,
	Read: func(c *action.Call, _ *GetAccountSummaryInput) (*GetAccountSummaryOutput, error) {
		return &GetAccountSummaryOutput{SummaryMap: summaryOf(c)}, nil
	},
}

// GetAccountSummaryInput is what GetAccountSummary takes.
type GetAccountSummaryInput struct {
}

// GetAccountSummaryOutput is what GetAccountSummary gives.
type GetAccountSummaryOutput struct {
	SummaryMap []SummaryEntry `out:"SummaryMap,map"`
}
