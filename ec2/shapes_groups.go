package ec2

// Members stand in the order in which EC2 writes them.

// IpPermission: in a request and in a reply.
type IpPermission struct {
	IpProtocol       string
	FromPort         *int32
	ToPort           *int32
	UserIdGroupPairs []UserIdGroupPair `in:"Groups" out:"groups"`
	IpRanges         []IpRange
	Ipv6Ranges       []Ipv6Range
	PrefixListIds    []PrefixListId
}

// IpRange: in a request and in a reply.
type IpRange struct {
	CidrIp      string
	Description string
}

// Ipv6Range: in a request and in a reply.
type Ipv6Range struct {
	CidrIpv6    string
	Description string
}

// PrefixListId: in a request and in a reply.
type PrefixListId struct {
	PrefixListId string
	Description  string
}

// ReferencedSecurityGroup: in a reply.
type ReferencedSecurityGroup struct {
	GroupId                string
	UserId                 string
	VpcId                  string
	VpcPeeringConnectionId string
	PeeringStatus          string
}

// RevokedSecurityGroupRule: in a reply.
type RevokedSecurityGroupRule struct {
	SecurityGroupRuleId string
	GroupId             string
	IsEgress            bool
	IpProtocol          string
	FromPort            *int32
	ToPort              *int32
	CidrIpv4            string
	CidrIpv6            string
	PrefixListId        string
	ReferencedGroupId   string
	Description         string
}

// SecurityGroup: in a reply.
type SecurityGroup struct {
	OwnerId             string
	GroupId             string
	GroupName           string
	Description         string `out:"groupDescription"`
	VpcId               string
	IpPermissions       []IpPermission
	IpPermissionsEgress []IpPermission
	Tags                []Tag `out:"tagSet"`
	SecurityGroupArn    string
}

// SecurityGroupForVpc: in a reply.
type SecurityGroupForVpc struct {
	Description  string
	GroupName    string
	OwnerId      string
	GroupId      string
	Tags         []Tag `out:"tagSet"`
	PrimaryVpcId string
}

// SecurityGroupReference: in a reply.
type SecurityGroupReference struct {
	GroupId                string
	ReferencingVpcId       string
	VpcPeeringConnectionId string
	TransitGatewayId       string
}

// SecurityGroupRule: in a reply.
type SecurityGroupRule struct {
	SecurityGroupRuleId  string
	GroupId              string
	GroupOwnerId         string
	IsEgress             bool
	IpProtocol           string
	FromPort             *int32
	ToPort               *int32
	CidrIpv4             string
	CidrIpv6             string
	PrefixListId         string
	ReferencedGroupInfo  *ReferencedSecurityGroup
	Description          string
	Tags                 []Tag `out:"tagSet"`
	SecurityGroupRuleArn string
}

// SecurityGroupRuleDescription: in a request.
type SecurityGroupRuleDescription struct {
	SecurityGroupRuleId string
	Description         *string
}

// SecurityGroupRuleRequest: in a request.
type SecurityGroupRuleRequest struct {
	IpProtocol        string
	FromPort          *int32
	ToPort            *int32
	CidrIpv4          string
	CidrIpv6          string
	PrefixListId      string
	ReferencedGroupId string
	Description       *string
}

// SecurityGroupRuleUpdate: in a request.
type SecurityGroupRuleUpdate struct {
	SecurityGroupRuleId string // required
	SecurityGroupRule   *SecurityGroupRuleRequest
}

// SecurityGroupVpcAssociation: in a reply.
type SecurityGroupVpcAssociation struct {
	GroupId      string
	VpcId        string
	VpcOwnerId   string
	State        string
	StateReason  string
	GroupOwnerId string
}

// StaleIpPermission: in a reply.
type StaleIpPermission struct {
	IpProtocol       string
	FromPort         *int32
	ToPort           *int32
	UserIdGroupPairs []UserIdGroupPair `out:"groups"`
	IpRanges         []string
	PrefixListIds    []string
}

// StaleSecurityGroup: in a reply.
type StaleSecurityGroup struct {
	Description              string
	GroupId                  string
	GroupName                string
	StaleIpPermissions       []StaleIpPermission
	StaleIpPermissionsEgress []StaleIpPermission
	VpcId                    string
}

// UserIdGroupPair: in a request and in a reply.
type UserIdGroupPair struct {
	UserId                 string
	GroupId                string
	GroupName              string
	VpcId                  string
	VpcPeeringConnectionId string
	PeeringStatus          string
	Description            string
}
