package ec2

// DeleteTagsInput is what DeleteTags takes.
type DeleteTagsInput struct {
	DryRun    bool
	Resources []string `in:"ResourceId"` // required
	Tags      []Tag    `in:"Tag"`
}

// DeleteTagsOutput is what DeleteTags gives.
type DeleteTagsOutput struct {
	Return bool
}
