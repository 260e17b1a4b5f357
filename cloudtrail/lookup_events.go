// Package cloudtrail knows the action of CloudTrail that Moat serves, and how
// an event of the trail reads as a record of CloudTrail's.
package cloudtrail

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"moat/action"
	"moat/fault"
	"moat/trail"
)

// Actions lists every action.
var Actions = []action.Action{LookupEvents}

// LookupEvents gives the events of the account in the region that was asked for,
// and those of no region, the newest first.
var LookupEvents = action.Read[LookupEventsInput, LookupEventsOutput]{
	Name: "LookupEvents",
	Doc:  "Finds calls that changed something, that gave out credentials or that were refused: who made them, when, from where and how.",
	Read: func(c *action.Call, in *LookupEventsInput) (*LookupEventsOutput, error) {
		q, err := query(c, in)
		if err != nil {
			return nil, err
		}
		found, next, err := c.Events(q)
		if err != nil {
			return nil, err
		}
		out := &LookupEventsOutput{Events: []Event{}}
		for _, e := range found {
			out.Events = append(out.Events, shape(e, c.Action))
		}
		if next != (trail.Place{}) {
			out.NextToken = token(in, next)
		}
		return out, nil
	},
}

// LookupEventsInput is what LookupEvents takes.
type LookupEventsInput struct {
	LookupAttributes []LookupAttribute
	StartTime        time.Time
	EndTime          time.Time
	EventCategory    string
	MaxResults       *int32
	NextToken        string
}

// A LookupAttribute narrows to the events that have it.
type LookupAttribute struct {
	AttributeKey   string
	AttributeValue string
}

// LookupEventsOutput is what LookupEvents gives.
type LookupEventsOutput struct {
	Events    []Event
	NextToken string
}

// An Event is one that was found. CloudTrailEvent has all of it.
type Event struct {
	EventId         string
	EventName       string
	ReadOnly        string
	AccessKeyId     string
	EventTime       time.Time
	EventSource     string
	Username        string
	Resources       []Resource
	CloudTrailEvent string
}

// A Resource is something that a call was about.
type Resource struct {
	ResourceType string
	ResourceName string
}

const maxResults = 50

// terms are the attributes that are terms of the trail.
var terms = map[string]string{
	"EventId": trail.ByID, "EventName": trail.ByName, "Username": trail.ByUser, "ResourceType": trail.ByType,
	"ResourceName": trail.ByResource, "AccessKeyId": trail.ByKey,
}

func query(c *action.Call, in *LookupEventsInput) (*trail.Query, error) {
	q := &trail.Query{Account: c.Account, Region: c.Region, Limit: maxResults, Since: in.StartTime, Until: in.EndTime}
	if in.EventCategory != "" && in.EventCategory != "insight" {
		return nil, fault.InvalidEventCategory.With()
	}
	if n := in.MaxResults; n != nil {
		if *n < 1 || *n > maxResults {
			return nil, fault.InvalidMaxResultsException.With(maxResults)
		}
		q.Limit = int(*n)
	}
	if !in.StartTime.IsZero() && !in.EndTime.IsZero() && in.StartTime.After(in.EndTime) {
		return nil, fault.InvalidTimeRange.With()
	}
	// Clients give whole seconds, and mean all of the last one.
	if !q.Until.IsZero() && q.Until.Nanosecond() == 0 {
		q.Until = q.Until.Add(time.Second - 1)
	}
	if len(in.LookupAttributes) > 1 {
		return nil, fault.InvalidLookupAttributes.Say("Only one lookup attribute can be specified.")
	}
	for _, a := range in.LookupAttributes {
		if a.AttributeValue == "" || len(a.AttributeValue) > 2000 {
			return nil, fault.InvalidLookupAttributes.Say("The value of the lookup attribute %s must have from 1 to 2000 characters.", a.AttributeKey)
		}
		switch a.AttributeKey {
		case "ReadOnly":
			read := a.AttributeValue == "true"
			if !read && a.AttributeValue != "false" {
				return nil, fault.InvalidLookupAttributes.Say("The value of the lookup attribute ReadOnly must be true or false.")
			}
			q.ReadOnly = &read
		case "EventSource":
			// Of another service there are no events, and none is found.
			q.Source = strings.TrimSuffix(a.AttributeValue, sourceSuffix)
		default:
			kind, ok := terms[a.AttributeKey]
			if !ok {
				return nil, fault.InvalidLookupAttributes.Say("The lookup attribute %s is not supported.", a.AttributeKey)
			}
			q.Terms = []string{trail.Term(kind, a.AttributeValue)}
		}
	}
	if in.EventCategory == "insight" {
		q.Terms = []string{"insight"} // of which there are none
	}
	if in.NextToken != "" {
		var ok bool
		if q.Before, ok = placeOf(in); !ok {
			return nil, fault.InvalidNextTokenException.With()
		}
	}
	return q, nil
}

// A token is a place and the hash of what was asked: with other parameters it
// is not valid.
const tokenSize = 8 + 4 + 12

func asked(in *LookupEventsInput) []byte {
	h := sha256.Sum256(fmt.Appendf(nil, "%q %d %d %q", in.LookupAttributes, in.StartTime.UnixNano(), in.EndTime.UnixNano(), in.EventCategory))
	return h[:12]
}

func token(in *LookupEventsInput, at trail.Place) string {
	b := binary.BigEndian.AppendUint64(nil, at.Rev)
	b = binary.BigEndian.AppendUint32(b, at.Seq)
	return base64.StdEncoding.EncodeToString(append(b, asked(in)...))
}

func placeOf(in *LookupEventsInput) (trail.Place, bool) {
	b, err := base64.StdEncoding.DecodeString(in.NextToken)
	if err != nil || len(b) != tokenSize || string(b[12:]) != string(asked(in)) {
		return trail.Place{}, false
	}
	at := trail.Place{Rev: binary.BigEndian.Uint64(b), Seq: binary.BigEndian.Uint32(b[8:])}
	return at, at != trail.Place{}
}

func shape(e *trail.Event, find func(service, name string) action.Action) Event {
	out := Event{
		EventId: e.ID, EventName: e.Action, ReadOnly: fmt.Sprint(e.ReadOnly), AccessKeyId: e.AccessKey, EventTime: e.Time,
		EventSource: source(e), Username: trail.Username(e), Resources: []Resource{}, CloudTrailEvent: string(Record(e, find, trail.Hash{})),
	}
	for _, r := range trail.Resources(e) {
		out.Resources = append(out.Resources, Resource{r.Type, r.Name})
	}
	return out
}
