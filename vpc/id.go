package vpc

// The ids of the model: a prefix, a dash and 17 (once 8) lower-case
// hexadecimal digits.
type (
	AccountID     string
	GroupID       string
	RuleID        string
	VPCID         string
	SubnetID      string
	InterfaceID   string
	PrefixListID  string
	AssociationID string
)

// Prefixes of ids, without their dash.
const (
	GroupPrefix                 = "sg"
	RulePrefix                  = "sgr"
	VPCPrefix                   = "vpc"
	SubnetPrefix                = "subnet"
	InterfacePrefix             = "eni"
	PrefixListPrefix            = "pl"
	VPCAssociationPrefix        = "vpc-cidr-assoc"
	SubnetAssociationPrefix     = "subnet-cidr-assoc"
	AttachmentPrefix            = "eni-attach"
	DHCPOptionsPrefix           = "dopt"
	maxIDDigits             int = 17
)

// WellFormed reports whether id is prefix, a dash and 8 or 17 lower-case
// hexadecimal digits.
func WellFormed(prefix, id string) bool {
	if len(id) <= len(prefix)+1 || id[:len(prefix)] != prefix || id[len(prefix)] != '-' {
		return false
	}
	digits := id[len(prefix)+1:]
	if len(digits) != 8 && len(digits) != maxIDDigits {
		return false
	}
	for i := range len(digits) {
		if c := digits[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// ARN gives the Amazon resource name of an EC2 resource: resource is its type
// ("security-group"), id its id.
func ARN(region string, account AccountID, resource, id string) string {
	return "arn:" + Partition(region) + ":ec2:" + region + ":" + string(account) + ":" + resource + "/" + id
}

// Partition gives the partition that a region belongs to.
func Partition(region string) string {
	switch {
	case len(region) > 3 && region[:3] == "cn-":
		return "aws-cn"
	case len(region) > 7 && region[:7] == "us-gov-":
		return "aws-us-gov"
	}
	return "aws"
}
