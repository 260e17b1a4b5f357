package ec2query_test

import (
	"fmt"

	"moat/ec2query"
	"moat/fault"
)

type Filter struct {
	Name   string
	Values []string `in:"Value"`
}

type DescribeTagsInput struct {
	Filters    []Filter `in:"Filter"`
	MaxResults *int32
}

func ExampleParseForm() {
	f, err := ec2query.ParseForm("", []byte("Action=DescribeTags&Version=2016-11-15&Filter.1.Name=key&Filter.1.Value.1=a+b&MaxResults=5"), ec2query.Limits{})
	if err != nil {
		panic(err)
	}
	var in DescribeTagsInput
	if err := f.Decode(&in); err != nil {
		panic(err)
	}
	fmt.Println(f.Get("Action"), in.Filters, *in.MaxResults)
	// Output: DescribeTags [{key [a b]}] 5
}

func ExampleEncodeForm() {
	in := DescribeTagsInput{Filters: []Filter{{Name: "key", Values: []string{"a b"}}}}
	fmt.Println(ec2query.EncodeForm("DescribeTags", "2016-11-15", in))
	// Output: Action=DescribeTags&Version=2016-11-15&Filter.1.Name=key&Filter.1.Value.1=a+b
}

func ExampleAppendResponse() {
	out := struct {
		GroupId string
		Tags    []string `out:"tagSet,always"`
		Return  bool
	}{GroupId: "sg-1", Return: true}
	fmt.Printf("%s\n", ec2query.AppendResponse(nil, "CreateSecurityGroup", "59dbff89-35bd-4eac-99ed-be587EXAMPLE", &out))
	// Output:
	// <?xml version="1.0" encoding="UTF-8"?>
	// <CreateSecurityGroupResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>59dbff89-35bd-4eac-99ed-be587EXAMPLE</requestId><groupId>sg-1</groupId><tagSet/><return>true</return></CreateSecurityGroupResponse>
}

func ExampleAppendError() {
	fmt.Printf("%s\n", ec2query.AppendError(nil, fault.UnknownParameter.With("GroupNome"), "59dbff89-35bd-4eac-99ed-be587EXAMPLE"))
	// Output:
	// <?xml version="1.0" encoding="UTF-8"?>
	// <Response><Errors><Error><Code>UnknownParameter</Code><Message>The parameter GroupNome is not recognized</Message></Error></Errors><RequestID>59dbff89-35bd-4eac-99ed-be587EXAMPLE</RequestID></Response>
}
