package ec2

// CreateTagsInput is what CreateTags takes.
type CreateTagsInput struct {
	DryRun    bool
	Resources []string `in:"ResourceId"` // required
	Tags      []Tag    `in:"Tag"`        // required
}

// CreateTagsOutput is what CreateTags gives.
type CreateTagsOutput struct {
	Return bool
}
