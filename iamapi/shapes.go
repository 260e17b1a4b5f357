package iamapi

import "time"

// The shapes that several actions share, as the service model has them.

// AccessKey is the shape of that name.
type AccessKey struct {
	UserName        string
	AccessKeyId     string
	Status          string
	SecretAccessKey string
	CreateDate      time.Time
}

// AccessKeyLastUsed is the shape of that name.
type AccessKeyLastUsed struct {
	LastUsedDate time.Time
	ServiceName  string
	Region       string
}

// AccessKeyMetadata is the shape of that name.
type AccessKeyMetadata struct {
	UserName    string
	AccessKeyId string
	Status      string
	CreateDate  time.Time
}

// AttachedPermissionsBoundary is the shape of that name.
type AttachedPermissionsBoundary struct {
	PermissionsBoundaryType string
	PermissionsBoundaryArn  string
}

// AttachedPolicy is the shape of that name.
type AttachedPolicy struct {
	PolicyName string
	PolicyArn  string
}

// Group is the shape of that name.
type Group struct {
	Path       string
	GroupName  string
	GroupId    string
	Arn        string
	CreateDate time.Time
}

// GroupDetail is the shape of that name.
type GroupDetail struct {
	Path                    string
	GroupName               string
	GroupId                 string
	Arn                     string
	CreateDate              time.Time
	GroupPolicyList         []PolicyDetail
	AttachedManagedPolicies []AttachedPolicy
}

// InstanceProfile is the shape of that name.
type InstanceProfile struct {
	Path                string
	InstanceProfileName string
	InstanceProfileId   string
	Arn                 string
	CreateDate          time.Time
	Roles               []Role
	Tags                []Tag
}

// ManagedPolicyDetail is the shape of that name.
type ManagedPolicyDetail struct {
	PolicyName                    string
	PolicyId                      string
	Arn                           string
	Path                          string
	DefaultVersionId              string
	AttachmentCount               int32
	PermissionsBoundaryUsageCount int32
	IsAttachable                  bool
	Description                   string
	CreateDate                    time.Time
	UpdateDate                    time.Time
	PolicyVersionList             []PolicyVersion
}

// Policy is the shape of that name.
type Policy struct {
	PolicyName                    string
	PolicyId                      string
	Arn                           string
	Path                          string
	DefaultVersionId              string
	AttachmentCount               int32
	PermissionsBoundaryUsageCount int32
	IsAttachable                  bool
	Description                   string
	CreateDate                    time.Time
	UpdateDate                    time.Time
	Tags                          []Tag
}

// PolicyDetail is the shape of that name.
type PolicyDetail struct {
	PolicyName     string
	PolicyDocument string
}

// PolicyGroup is the shape of that name.
type PolicyGroup struct {
	GroupName string
	GroupId   string
}

// PolicyRole is the shape of that name.
type PolicyRole struct {
	RoleName string
	RoleId   string
}

// PolicyUser is the shape of that name.
type PolicyUser struct {
	UserName string
	UserId   string
}

// PolicyVersion is the shape of that name.
type PolicyVersion struct {
	Document         string
	VersionId        string
	IsDefaultVersion bool
	CreateDate       time.Time
}

// Role is the shape of that name.
type Role struct {
	Path                     string
	RoleName                 string
	RoleId                   string
	Arn                      string
	CreateDate               time.Time
	AssumeRolePolicyDocument string
	Description              string
	MaxSessionDuration       int32
	PermissionsBoundary      *AttachedPermissionsBoundary
	Tags                     []Tag
	RoleLastUsed             *RoleLastUsed
	// SourceRoleTemplate is of a role that was made from a template; here none is.
	SourceRoleTemplate *SourceRoleTemplate
}

// SourceRoleTemplate is the shape of that name.
type SourceRoleTemplate struct {
	TemplateArn          string
	TemplateMinorVersion *int32
}

// RoleDetail is the shape of that name.
type RoleDetail struct {
	Path                     string
	RoleName                 string
	RoleId                   string
	Arn                      string
	CreateDate               time.Time
	AssumeRolePolicyDocument string
	InstanceProfileList      []InstanceProfile
	RolePolicyList           []PolicyDetail
	AttachedManagedPolicies  []AttachedPolicy
	PermissionsBoundary      *AttachedPermissionsBoundary
	Tags                     []Tag
	RoleLastUsed             *RoleLastUsed
}

// RoleLastUsed is the shape of that name.
type RoleLastUsed struct {
	LastUsedDate time.Time
	Region       string
}

// User is the shape of that name.
type User struct {
	Path                string
	UserName            string
	UserId              string
	Arn                 string
	CreateDate          time.Time
	PasswordLastUsed    time.Time
	PermissionsBoundary *AttachedPermissionsBoundary
	Tags                []Tag
}

// UserDetail is the shape of that name.
type UserDetail struct {
	Path                    string
	UserName                string
	UserId                  string
	Arn                     string
	CreateDate              time.Time
	UserPolicyList          []PolicyDetail
	GroupList               []string
	AttachedManagedPolicies []AttachedPolicy
	PermissionsBoundary     *AttachedPermissionsBoundary
	Tags                    []Tag
}
