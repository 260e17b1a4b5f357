package ec2

import "time"

// Address: in a reply.
type Address struct {
	AllocationId            string
	AssociationId           string
	Domain                  string
	NetworkInterfaceId      string
	NetworkInterfaceOwnerId string
	PrivateIpAddress        string
	Tags                    []Tag `out:"tagSet"`
	PublicIpv4Pool          string
	NetworkBorderGroup      string
	CustomerOwnedIp         string
	CustomerOwnedIpv4Pool   string
	CarrierIp               string
	SubnetId                string
	ServiceManaged          string
	InstanceId              string
	PublicIp                string
}

// AddressAttribute: in a reply.
type AddressAttribute struct {
	PublicIp        string
	AllocationId    string
	PtrRecord       string
	PtrRecordUpdate *PtrUpdateStatus
}

// BlobAttributeValue: in a request.
type BlobAttributeValue struct {
	Value []byte
}

// BlockDeviceMapping: in a request and in a reply.
type BlockDeviceMapping struct {
	Ebs         *EbsBlockDevice
	NoDevice    string
	DeviceName  string
	VirtualName string
}

// CapacityReservationSpecification: in a request.
type CapacityReservationSpecification struct {
	CapacityReservationPreference string
	CapacityReservationTarget     *CapacityReservationTarget
}

// CapacityReservationSpecificationResponse: in a reply.
type CapacityReservationSpecificationResponse struct {
	CapacityReservationPreference string
	CapacityReservationTarget     *CapacityReservationTargetResponse
}

// CapacityReservationTarget: in a request.
type CapacityReservationTarget struct {
	CapacityReservationId               string
	CapacityReservationResourceGroupArn string
}

// CapacityReservationTargetResponse: in a reply.
type CapacityReservationTargetResponse struct {
	CapacityReservationId               string
	CapacityReservationResourceGroupArn string
}

// ConnectionTrackingSpecificationResponse: in a reply.
type ConnectionTrackingSpecificationResponse struct {
	TcpEstablishedTimeout *int32
	UdpStreamTimeout      *int32
	UdpTimeout            *int32
}

// CpuOptions: in a reply.
type CpuOptions struct {
	CoreCount            *int32
	ThreadsPerCore       *int32
	AmdSevSnp            string
	NestedVirtualization string
}

// CpuOptionsRequest: in a request.
type CpuOptionsRequest struct {
	CoreCount            *int32
	ThreadsPerCore       *int32
	AmdSevSnp            string
	NestedVirtualization string
}

// CreditSpecificationRequest: in a request.
type CreditSpecificationRequest struct {
	CpuCredits string // required
}

// DefaultConnectionTrackingConfiguration: in a reply.
type DefaultConnectionTrackingConfiguration struct {
	DefaultTcpEstablishedTimeout *int32
	DefaultUdpTimeout            *int32
	DefaultUdpStreamTimeout      *int32
}

// DiskInfo: in a reply.
type DiskInfo struct {
	SizeInGB *int64
	Count    *int32
	Type     string
}

// EbsBlockDevice: in a request and in a reply.
type EbsBlockDevice struct {
	DeleteOnTermination      *bool
	Iops                     *int32
	SnapshotId               string
	VolumeSize               *int32
	VolumeType               string
	KmsKeyId                 string
	Throughput               *int32
	OutpostArn               string
	AvailabilityZone         string
	Encrypted                *bool
	VolumeInitializationRate *int32 `out:"VolumeInitializationRate"`
	AvailabilityZoneId       string `out:"AvailabilityZoneId"`
	EbsCardIndex             *int32 `out:"EbsCardIndex"`
}

// EbsCardInfo: in a reply.
type EbsCardInfo struct {
	EbsCardIndex             *int32
	BaselineBandwidthInMbps  *int32
	BaselineThroughputInMBps *float64
	BaselineIops             *int32
	MaximumBandwidthInMbps   *int32
	MaximumThroughputInMBps  *float64
	MaximumIops              *int32
}

// EbsInfo: in a reply.
type EbsInfo struct {
	EbsOptimizedSupport   string
	EncryptionSupport     string
	EbsOptimizedInfo      *EbsOptimizedInfo
	NvmeSupport           string
	MaximumEbsAttachments *int32
	AttachmentLimitType   string
	MaximumEbsCards       *int32
	EbsCards              []EbsCardInfo `out:"ebsCardSet"`
}

// EbsInstanceBlockDevice: in a reply.
type EbsInstanceBlockDevice struct {
	AttachTime          time.Time
	DeleteOnTermination *bool
	Status              string
	VolumeId            string
	AssociatedResource  string
	VolumeOwnerId       string
	Operator            *OperatorResponse
	EbsCardIndex        *int32
}

// EbsInstanceBlockDeviceSpecification: in a request.
type EbsInstanceBlockDeviceSpecification struct {
	VolumeId            string
	DeleteOnTermination *bool
}

// EbsOptimizedInfo: in a reply.
type EbsOptimizedInfo struct {
	BaselineBandwidthInMbps  *int32
	BaselineThroughputInMBps *float64
	BaselineIops             *int32
	MaximumBandwidthInMbps   *int32
	MaximumThroughputInMBps  *float64
	MaximumIops              *int32
}

// EbsStatusDetails: in a reply.
type EbsStatusDetails struct {
	ImpairedSince time.Time
	Name          string
	Status        string
}

// EbsStatusSummary: in a reply.
type EbsStatusSummary struct {
	Details []EbsStatusDetails
	Status  string
}

// EfaInfo: in a reply.
type EfaInfo struct {
	MaximumEfaInterfaces *int32
}

// ElasticGpuAssociation: in a reply.
type ElasticGpuAssociation struct {
	ElasticGpuId               string
	ElasticGpuAssociationId    string
	ElasticGpuAssociationState string
	ElasticGpuAssociationTime  string
}

// ElasticGpuSpecification: in a request.
type ElasticGpuSpecification struct {
	Type string // required
}

// ElasticInferenceAccelerator: in a request.
type ElasticInferenceAccelerator struct {
	Type  string // required
	Count *int32
}

// ElasticInferenceAcceleratorAssociation: in a reply.
type ElasticInferenceAcceleratorAssociation struct {
	ElasticInferenceAcceleratorArn              string
	ElasticInferenceAcceleratorAssociationId    string
	ElasticInferenceAcceleratorAssociationState string
	ElasticInferenceAcceleratorAssociationTime  time.Time
}

// EnaSrdSpecificationRequest: in a request.
type EnaSrdSpecificationRequest struct {
	EnaSrdEnabled          *bool
	EnaSrdUdpSpecification *EnaSrdUdpSpecificationRequest
}

// EnaSrdUdpSpecificationRequest: in a request.
type EnaSrdUdpSpecificationRequest struct {
	EnaSrdUdpEnabled *bool
}

// EnclaveOptions: in a reply.
type EnclaveOptions struct {
	Enabled *bool
}

// EnclaveOptionsRequest: in a request.
type EnclaveOptionsRequest struct {
	Enabled *bool
}

// FpgaDeviceInfo: in a reply.
type FpgaDeviceInfo struct {
	Name         string
	Manufacturer string
	Count        *int32
	MemoryInfo   *FpgaDeviceMemoryInfo
}

// FpgaDeviceMemoryInfo: in a reply.
type FpgaDeviceMemoryInfo struct {
	SizeInMiB *int32
}

// FpgaInfo: in a reply.
type FpgaInfo struct {
	Fpgas                []FpgaDeviceInfo
	TotalFpgaMemoryInMiB *int32
}

// GpuDeviceInfo: in a reply.
type GpuDeviceInfo struct {
	Name             string
	Manufacturer     string
	Count            *int32
	LogicalGpuCount  *int32
	GpuPartitionSize *float64
	Workloads        []string `out:"workloadSet"`
	MemoryInfo       *GpuDeviceMemoryInfo
}

// GpuDeviceMemoryInfo: in a reply.
type GpuDeviceMemoryInfo struct {
	SizeInMiB *int32
}

// GpuInfo: in a reply.
type GpuInfo struct {
	Gpus                []GpuDeviceInfo
	TotalGpuMemoryInMiB *int32
}

// HibernationOptions: in a reply.
type HibernationOptions struct {
	Configured *bool
}

// HibernationOptionsRequest: in a request.
type HibernationOptionsRequest struct {
	Configured *bool
}

// IamInstanceProfile: in a reply.
type IamInstanceProfile struct {
	Arn string
	Id  string
}

// IamInstanceProfileSpecification: in a request.
type IamInstanceProfileSpecification struct {
	Arn  string
	Name string
}

// Image: in a reply.
type Image struct {
	PlatformDetails           string
	UsageOperation            string
	BlockDeviceMappings       []BlockDeviceMapping `out:"blockDeviceMapping"`
	Description               string
	EnaSupport                *bool
	Hypervisor                string
	ImageOwnerAlias           string
	Name                      string
	RootDeviceName            string
	RootDeviceType            string
	SriovNetSupport           string
	StateReason               *StateReason
	Tags                      []Tag `out:"tagSet"`
	VirtualizationType        string
	BootMode                  string
	TpmSupport                string
	DeprecationTime           string
	ImdsSupport               string
	SourceInstanceId          string
	DeregistrationProtection  string
	LastLaunchedTime          string
	ImageAllowed              *bool
	SourceImageId             string
	SourceImageRegion         string
	FreeTierEligible          *bool
	ImageId                   string
	ImageLocation             string
	State                     string `out:"imageState"`
	OwnerId                   string `out:"imageOwnerId"`
	CreationDate              string
	Public                    *bool `out:"isPublic"`
	ProductCodes              []ProductCode
	Architecture              string
	ImageType                 string
	KernelId                  string
	RamdiskId                 string
	Platform                  string
	ImageWatermarks           []ImageWatermark `out:"imageWatermarkSet"`
	InstanceTypeSpecification *InstanceTypeSpecification
	PublicSsmParameterName    string
	ScanResults               *ScanResults
}

// ImageWatermark: in a reply.
type ImageWatermark struct {
	SourceImageCreationTime time.Time
	SourceImageId           string
	SourceImageRegion       string
	WatermarkCreationTime   time.Time
	WatermarkKey            string
}

// InstanceTypeSpecification: in a reply.
type InstanceTypeSpecification struct {
	SupportedInstanceTypes   []InstanceTypeItem `out:"supportedInstanceTypeSet"`
	UnsupportedInstanceTypes []InstanceTypeItem `out:"unsupportedInstanceTypeSet"`
}

// InstanceTypeItem: in a reply.
type InstanceTypeItem struct {
	InstanceType string
}

// ScanResults: in a reply.
type ScanResults struct {
	CriticalFixAvailableSince      time.Time
	FindingScanDate                time.Time
	HighFixAvailableSince          time.Time
	HighestFindingSeverityLabel    string
	InformationalFixAvailableSince time.Time
	LowFixAvailableSince           time.Time
	MediumFixAvailableSince        time.Time
}

// InferenceAcceleratorInfo: in a reply.
type InferenceAcceleratorInfo struct {
	Accelerators              []InferenceDeviceInfo `out:"accelerators,member"`
	TotalInferenceMemoryInMiB *int32
}

// InferenceDeviceInfo: in a reply.
type InferenceDeviceInfo struct {
	Count        *int32
	Name         string
	Manufacturer string
	MemoryInfo   *InferenceDeviceMemoryInfo
}

// InferenceDeviceMemoryInfo: in a reply.
type InferenceDeviceMemoryInfo struct {
	SizeInMiB *int32
}

// Instance: in a reply.
type Instance struct {
	Architecture                            string
	BlockDeviceMappings                     []InstanceBlockDeviceMapping `out:"blockDeviceMapping,always"`
	ClientToken                             string
	EbsOptimized                            *bool
	EnaSupport                              *bool
	Hypervisor                              string
	IamInstanceProfile                      *IamInstanceProfile
	InstanceLifecycle                       string
	ElasticGpuAssociations                  []ElasticGpuAssociation                  `out:"elasticGpuAssociationSet"`
	ElasticInferenceAcceleratorAssociations []ElasticInferenceAcceleratorAssociation `out:"elasticInferenceAcceleratorAssociationSet"`
	NetworkInterfaces                       []InstanceNetworkInterface               `out:"networkInterfaceSet,always"`
	OutpostArn                              string
	RootDeviceName                          string
	RootDeviceType                          string
	SecurityGroups                          []GroupIdentifier `out:"groupSet,always"`
	SourceDestCheck                         *bool
	SpotInstanceRequestId                   string
	SriovNetSupport                         string
	StateReason                             *StateReason
	Tags                                    []Tag `out:"tagSet"`
	VirtualizationType                      string
	CpuOptions                              *CpuOptions
	CapacityBlockId                         string
	CapacityReservationId                   string
	CapacityReservationSpecification        *CapacityReservationSpecificationResponse
	HibernationOptions                      *HibernationOptions
	Licenses                                []LicenseConfiguration `out:"licenseSet"`
	MetadataOptions                         *InstanceMetadataOptionsResponse
	EnclaveOptions                          *EnclaveOptions
	BootMode                                string
	PlatformDetails                         string
	UsageOperation                          string
	UsageOperationUpdateTime                time.Time
	PrivateDnsNameOptions                   *PrivateDnsNameOptionsResponse
	Ipv6Address                             string
	TpmSupport                              string
	MaintenanceOptions                      *InstanceMaintenanceOptions
	CurrentInstanceBootMode                 string
	NetworkPerformanceOptions               *InstanceNetworkPerformanceOptions
	Operator                                *OperatorResponse
	SecondaryInterfaces                     []InstanceSecondaryInterface `out:"secondaryInterfaceSet"`
	InstanceId                              string
	ImageId                                 string
	State                                   *InstanceState `out:"instanceState"`
	PrivateDnsName                          string         `out:"privateDnsName,always"`
	PublicDnsName                           string         `out:"dnsName,always"`
	StateTransitionReason                   string         `out:"reason,always"`
	KeyName                                 string
	AmiLaunchIndex                          *int32
	ProductCodes                            []ProductCode `out:"productCodes,always"`
	InstanceType                            string
	LaunchTime                              time.Time
	Placement                               *Placement
	KernelId                                string
	RamdiskId                               string
	Platform                                string
	Monitoring                              *Monitoring
	SubnetId                                string
	VpcId                                   string
	PrivateIpAddress                        string
	PublicIpAddress                         string `out:"ipAddress"`
}

// InstanceAttachmentEnaSrdSpecification: in a reply.
type InstanceAttachmentEnaSrdSpecification struct {
	EnaSrdEnabled          *bool
	EnaSrdUdpSpecification *InstanceAttachmentEnaSrdUdpSpecification
}

// InstanceAttachmentEnaSrdUdpSpecification: in a reply.
type InstanceAttachmentEnaSrdUdpSpecification struct {
	EnaSrdUdpEnabled *bool
}

// InstanceBlockDeviceMapping: in a reply.
type InstanceBlockDeviceMapping struct {
	DeviceName string
	Ebs        *EbsInstanceBlockDevice
}

// InstanceBlockDeviceMappingSpecification: in a request.
type InstanceBlockDeviceMappingSpecification struct {
	DeviceName  string
	Ebs         *EbsInstanceBlockDeviceSpecification
	VirtualName string
	NoDevice    string
}

// InstanceCreditSpecification: in a reply.
type InstanceCreditSpecification struct {
	InstanceId string
	CpuCredits string
}

// InstanceCreditSpecificationRequest: in a request.
type InstanceCreditSpecificationRequest struct {
	InstanceId string // required
	CpuCredits string
}

// InstanceIpv4Prefix: in a reply.
type InstanceIpv4Prefix struct {
	Ipv4Prefix string
}

// InstanceIpv6Prefix: in a reply.
type InstanceIpv6Prefix struct {
	Ipv6Prefix string
}

// InstanceMaintenanceOptions: in a reply.
type InstanceMaintenanceOptions struct {
	AutoRecovery    string
	RebootMigration string
}

// InstanceMaintenanceOptionsRequest: in a request.
type InstanceMaintenanceOptionsRequest struct {
	AutoRecovery string
}

// InstanceMarketOptionsRequest: in a request.
type InstanceMarketOptionsRequest struct {
	MarketType  string
	SpotOptions *SpotMarketOptions
}

// InstanceMetadataOptionsRequest: in a request.
type InstanceMetadataOptionsRequest struct {
	HttpTokens              string
	HttpPutResponseHopLimit *int32
	HttpEndpoint            string
	HttpProtocolIpv6        string
	InstanceMetadataTags    string
}

// InstanceMetadataOptionsResponse: in a reply.
type InstanceMetadataOptionsResponse struct {
	State                   string
	HttpTokens              string
	HttpPutResponseHopLimit *int32
	HttpEndpoint            string
	HttpProtocolIpv6        string
	InstanceMetadataTags    string
}

// InstanceMonitoring: in a reply.
type InstanceMonitoring struct {
	InstanceId string
	Monitoring *Monitoring
}

// InstanceNetworkInterface: in a reply.
type InstanceNetworkInterface struct {
	Association                     *InstanceNetworkInterfaceAssociation
	Attachment                      *InstanceNetworkInterfaceAttachment
	Description                     string                `out:"description,always"`
	Groups                          []GroupIdentifier     `out:"groupSet,always"`
	Ipv6Addresses                   []InstanceIpv6Address `out:"ipv6AddressesSet,always"`
	MacAddress                      string
	NetworkInterfaceId              string
	OwnerId                         string
	PrivateDnsName                  string
	PrivateIpAddress                string
	PrivateIpAddresses              []InstancePrivateIpAddress `out:"privateIpAddressesSet,always"`
	SourceDestCheck                 *bool
	Status                          string
	SubnetId                        string
	VpcId                           string
	InterfaceType                   string
	Ipv4Prefixes                    []InstanceIpv4Prefix `out:"ipv4PrefixSet"`
	Ipv6Prefixes                    []InstanceIpv6Prefix `out:"ipv6PrefixSet"`
	ConnectionTrackingConfiguration *ConnectionTrackingSpecificationResponse
	Operator                        *OperatorResponse
}

// InstanceNetworkInterfaceAssociation: in a reply.
type InstanceNetworkInterfaceAssociation struct {
	CarrierIp       string
	CustomerOwnedIp string
	IpOwnerId       string
	PublicDnsName   string `out:"publicDnsName,always"`
	PublicIp        string
}

// InstanceNetworkInterfaceAttachment: in a reply.
type InstanceNetworkInterfaceAttachment struct {
	AttachTime          time.Time
	AttachmentId        string
	DeleteOnTermination *bool
	DeviceIndex         *int32
	Status              string
	NetworkCardIndex    *int32
	EnaSrdSpecification *InstanceAttachmentEnaSrdSpecification
	EnaQueueCount       *int32
}

// InstanceNetworkInterfaceSpecification: in a request.
type InstanceNetworkInterfaceSpecification struct {
	AssociatePublicIpAddress        *bool
	DeleteOnTermination             *bool
	Description                     string
	DeviceIndex                     *int32
	Groups                          []string `in:"SecurityGroupId"`
	Ipv6AddressCount                *int32
	Ipv6Addresses                   []InstanceIpv6Address
	NetworkInterfaceId              string
	PrivateIpAddress                string
	PrivateIpAddresses              []PrivateIpAddressSpecification
	SecondaryPrivateIpAddressCount  *int32
	SubnetId                        string
	AssociateCarrierIpAddress       *bool
	InterfaceType                   string
	NetworkCardIndex                *int32
	Ipv4Prefixes                    []Ipv4PrefixSpecificationRequest `in:"Ipv4Prefix"`
	Ipv4PrefixCount                 *int32
	Ipv6Prefixes                    []Ipv6PrefixSpecificationRequest `in:"Ipv6Prefix"`
	Ipv6PrefixCount                 *int32
	PrimaryIpv6                     *bool
	EnaSrdSpecification             *EnaSrdSpecificationRequest
	ConnectionTrackingSpecification *ConnectionTrackingSpecificationRequest
	EnaQueueCount                   *int32
}

// InstanceNetworkPerformanceOptions: in a reply.
type InstanceNetworkPerformanceOptions struct {
	BandwidthWeighting string
}

// InstanceNetworkPerformanceOptionsRequest: in a request.
type InstanceNetworkPerformanceOptionsRequest struct {
	BandwidthWeighting string
}

// InstancePrivateIpAddress: in a reply.
type InstancePrivateIpAddress struct {
	Association      *InstanceNetworkInterfaceAssociation
	Primary          *bool
	PrivateDnsName   string
	PrivateIpAddress string
}

// InstanceSecondaryInterface: in a reply.
type InstanceSecondaryInterface struct {
	Attachment           *InstanceSecondaryInterfaceAttachment
	MacAddress           string
	SecondaryInterfaceId string
	OwnerId              string
	PrivateIpAddresses   []InstanceSecondaryInterfacePrivateIpAddress `out:"privateIpAddressSet"`
	SourceDestCheck      *bool
	Status               string
	SecondarySubnetId    string
	SecondaryNetworkId   string
	InterfaceType        string
}

// InstanceSecondaryInterfaceAttachment: in a reply.
type InstanceSecondaryInterfaceAttachment struct {
	AttachTime          time.Time
	AttachmentId        string
	DeleteOnTermination *bool
	DeviceIndex         *int32
	Status              string
	NetworkCardIndex    *int32
}

// InstanceSecondaryInterfacePrivateIpAddress: in a reply.
type InstanceSecondaryInterfacePrivateIpAddress struct {
	PrivateIpAddress string
}

// InstanceSecondaryInterfacePrivateIpAddressRequest: in a request.
type InstanceSecondaryInterfacePrivateIpAddressRequest struct {
	PrivateIpAddress string // required
}

// InstanceSecondaryInterfaceSpecificationRequest: in a request.
type InstanceSecondaryInterfaceSpecificationRequest struct {
	DeleteOnTermination   *bool
	DeviceIndex           *int32
	PrivateIpAddresses    []InstanceSecondaryInterfacePrivateIpAddressRequest `in:"PrivateIpAddress"`
	PrivateIpAddressCount *int32
	SecondarySubnetId     string
	InterfaceType         string
	NetworkCardIndex      *int32
}

// InstanceState: in a reply.
type InstanceState struct {
	Code *int32
	Name string
}

// InstanceStateChange: in a reply.
type InstanceStateChange struct {
	InstanceId    string
	CurrentState  *InstanceState
	PreviousState *InstanceState
}

// InstanceStatus: in a reply.
type InstanceStatus struct {
	AvailabilityZone   string
	AvailabilityZoneId string
	OutpostArn         string
	Operator           *OperatorResponse
	Events             []InstanceStatusEvent `out:"eventsSet"`
	InstanceId         string
	InstanceState      *InstanceState
	InstanceStatus     *InstanceStatusSummary
	SystemStatus       *InstanceStatusSummary
	AttachedEbsStatus  *EbsStatusSummary
	ApplicationStatus  *ApplicationStatusSummary
	PerformanceStatus  *PerformanceStatusSummary
}

// ApplicationStatusSummary: in a reply.
type ApplicationStatusSummary struct {
	ImpairedSince time.Time
	Status        string
}

// PerformanceStatusSummary: in a reply.
type PerformanceStatusSummary struct {
	ImpairedSince time.Time
	Remediation   string
	Status        string
}

// InstanceStatusDetails: in a reply.
type InstanceStatusDetails struct {
	ImpairedSince time.Time
	Name          string
	Status        string
}

// InstanceStatusEvent: in a reply.
type InstanceStatusEvent struct {
	InstanceEventId   string
	Code              string
	Description       string
	NotAfter          time.Time
	NotBefore         time.Time
	NotBeforeDeadline time.Time
}

// InstanceStatusSummary: in a reply.
type InstanceStatusSummary struct {
	Details []InstanceStatusDetails
	Status  string
}

// InstanceStorageInfo: in a reply.
type InstanceStorageInfo struct {
	TotalSizeInGB     *int64
	Disks             []DiskInfo
	NvmeSupport       string
	EncryptionSupport string
}

// InstanceTypeInfo: in a reply.
type InstanceTypeInfo struct {
	InstanceType                  string
	CurrentGeneration             *bool
	FreeTierEligible              *bool
	SupportedUsageClasses         []string
	SupportedRootDeviceTypes      []string
	SupportedVirtualizationTypes  []string
	BareMetal                     *bool
	Hypervisor                    string
	ProcessorInfo                 *ProcessorInfo
	VCpuInfo                      *VCpuInfo
	MemoryInfo                    *MemoryInfo
	InstanceStorageSupported      *bool
	InstanceStorageInfo           *InstanceStorageInfo
	EbsInfo                       *EbsInfo
	NetworkInfo                   *NetworkInfo
	GpuInfo                       *GpuInfo
	FpgaInfo                      *FpgaInfo
	PlacementGroupInfo            *PlacementGroupInfo
	InferenceAcceleratorInfo      *InferenceAcceleratorInfo
	HibernationSupported          *bool
	BurstablePerformanceSupported *bool
	DedicatedHostsSupported       *bool
	AutoRecoverySupported         *bool
	SupportedBootModes            []string
	NitroEnclavesSupport          string
	NitroTpmSupport               string
	NitroTpmInfo                  *NitroTpmInfo
	MediaAcceleratorInfo          *MediaAcceleratorInfo
	NeuronInfo                    *NeuronInfo
	PhcSupport                    string
	RebootMigrationSupport        string
	SupportedInRegion             *bool
}

// InstanceTypeOffering: in a reply.
type InstanceTypeOffering struct {
	InstanceType string
	LocationType string
	Location     string
}

// KeyPairInfo: in a reply.
type KeyPairInfo struct {
	KeyPairId      string
	KeyType        string
	Tags           []Tag `out:"tagSet,always"`
	PublicKey      string
	CreateTime     time.Time
	KeyName        string
	KeyFingerprint string
}

// LaunchTemplateSpecification: in a request.
type LaunchTemplateSpecification struct {
	LaunchTemplateId   string
	LaunchTemplateName string
	Version            string
}

// LicenseConfiguration: in a reply.
type LicenseConfiguration struct {
	LicenseConfigurationArn string
}

// LicenseConfigurationRequest: in a request.
type LicenseConfigurationRequest struct {
	LicenseConfigurationArn string
}

// MediaAcceleratorInfo: in a reply.
type MediaAcceleratorInfo struct {
	Accelerators          []MediaDeviceInfo
	TotalMediaMemoryInMiB *int32
}

// MediaDeviceInfo: in a reply.
type MediaDeviceInfo struct {
	Count        *int32
	Name         string
	Manufacturer string
	MemoryInfo   *MediaDeviceMemoryInfo
}

// MediaDeviceMemoryInfo: in a reply.
type MediaDeviceMemoryInfo struct {
	SizeInMiB *int32
}

// MemoryInfo: in a reply.
type MemoryInfo struct {
	SizeInMiB *int64
}

// Monitoring: in a reply.
type Monitoring struct {
	State string
}

// NetworkCardInfo: in a reply.
type NetworkCardInfo struct {
	NetworkCardIndex                    *int32
	NetworkPerformance                  string
	MaximumNetworkInterfaces            *int32
	AdditionalFlexibleNetworkInterfaces *int32
	BaselineBandwidthInGbps             *float64
	PeakBandwidthInGbps                 *float64
	DefaultEnaQueueCountPerInterface    *int32
	MaximumEnaQueueCount                *int32
	MaximumEnaQueueCountPerInterface    *int32
	InterfaceTypes                      []string `out:"interfaceTypeSet"`
}

// NetworkInfo: in a reply.
type NetworkInfo struct {
	NetworkPerformance                 string
	MaximumNetworkInterfaces           *int32
	MaximumNetworkCards                *int32
	DefaultNetworkCardIndex            *int32
	NetworkCards                       []NetworkCardInfo
	Ipv4AddressesPerInterface          *int32
	Ipv6AddressesPerInterface          *int32
	Ipv6Supported                      *bool
	EnaSupport                         string
	EfaSupported                       *bool
	EfaInfo                            *EfaInfo
	EncryptionInTransitSupported       *bool
	EnaSrdSupported                    *bool
	BandwidthWeightings                []string
	FlexibleEnaQueuesSupport           string
	ConnectionTrackingConfiguration    *DefaultConnectionTrackingConfiguration
	SecondaryNetworkSupported          *bool
	MaximumSecondaryNetworkInterfaces  *int32
	Ipv4AddressesPerSecondaryInterface *int32
}

// NeuronDeviceCoreInfo: in a reply.
type NeuronDeviceCoreInfo struct {
	Count   *int32
	Version *int32
}

// NeuronDeviceInfo: in a reply.
type NeuronDeviceInfo struct {
	Count      *int32
	Name       string
	CoreInfo   *NeuronDeviceCoreInfo
	MemoryInfo *NeuronDeviceMemoryInfo
}

// NeuronDeviceMemoryInfo: in a reply.
type NeuronDeviceMemoryInfo struct {
	SizeInMiB *int32
}

// NeuronInfo: in a reply.
type NeuronInfo struct {
	NeuronDevices                []NeuronDeviceInfo
	TotalNeuronDeviceMemoryInMiB *int32
}

// NitroTpmInfo: in a reply.
type NitroTpmInfo struct {
	SupportedVersions []string
}

// Placement: in a request and in a reply.
type Placement struct {
	AvailabilityZoneId   string
	Affinity             string
	GroupName            string `out:"groupName,always"`
	PartitionNumber      *int32
	HostId               string
	Tenancy              string
	SpreadDomain         string
	HostResourceGroupArn string
	GroupId              string
	AvailabilityZone     string
}

// PlacementGroupInfo: in a reply.
type PlacementGroupInfo struct {
	SupportedStrategies []string
}

// PrivateDnsNameOptionsRequest: in a request.
type PrivateDnsNameOptionsRequest struct {
	HostnameType                    string
	EnableResourceNameDnsARecord    *bool
	EnableResourceNameDnsAAAARecord *bool
}

// PrivateDnsNameOptionsResponse: in a reply.
type PrivateDnsNameOptionsResponse struct {
	HostnameType                    string
	EnableResourceNameDnsARecord    *bool
	EnableResourceNameDnsAAAARecord *bool
}

// ProcessorInfo: in a reply.
type ProcessorInfo struct {
	SupportedArchitectures   []string
	SustainedClockSpeedInGhz *float64
	SupportedFeatures        []string
	Manufacturer             string
}

// ProductCode: in a reply.
type ProductCode struct {
	ProductCodeId   string `out:"productCode"`
	ProductCodeType string `out:"type"`
}

// PtrUpdateStatus: in a reply.
type PtrUpdateStatus struct {
	Value  string
	Status string
	Reason string
}

// Reservation: in a reply.
type Reservation struct {
	ReservationId string
	OwnerId       string
	RequesterId   string
	Groups        []GroupIdentifier `out:"groupSet,always"`
	Instances     []Instance        `out:"instancesSet,always"`
}

// RunInstancesMonitoringEnabled: in a request.
type RunInstancesMonitoringEnabled struct {
	Enabled *bool // required
}

// SpotMarketOptions: in a request.
type SpotMarketOptions struct {
	MaxPrice                     string
	SpotInstanceType             string
	BlockDurationMinutes         *int32
	ValidUntil                   time.Time
	InstanceInterruptionBehavior string
}

// StateReason: in a reply.
type StateReason struct {
	Code    string
	Message string
}

// SuccessfulInstanceCreditSpecificationItem: in a reply.
type SuccessfulInstanceCreditSpecificationItem struct {
	InstanceId string
}

// UnsuccessfulInstanceCreditSpecificationItem: in a reply.
type UnsuccessfulInstanceCreditSpecificationItem struct {
	InstanceId string
	Error      *UnsuccessfulInstanceCreditSpecificationItemError
}

// UnsuccessfulInstanceCreditSpecificationItemError: in a reply.
type UnsuccessfulInstanceCreditSpecificationItemError struct {
	Code    string
	Message string
}

// VCpuInfo: in a reply.
type VCpuInfo struct {
	DefaultVCpus          *int32
	DefaultCores          *int32
	DefaultThreadsPerCore *int32
	ValidCores            []int32
	ValidThreadsPerCore   []int32
}

// Volume: in a reply.
type Volume struct {
	AvailabilityZoneId       string
	OutpostArn               string
	SourceVolumeId           string
	Iops                     *int32
	Tags                     []Tag `out:"tagSet"`
	VolumeType               string
	FastRestored             *bool
	MultiAttachEnabled       *bool
	Throughput               *int32
	SseType                  string
	Operator                 *OperatorResponse
	VolumeInitializationRate *int32
	VolumeId                 string
	Size                     *int32
	SnapshotId               string `out:"snapshotId,always"`
	AvailabilityZone         string
	State                    string `out:"status"`
	CreateTime               time.Time
	Attachments              []VolumeAttachment `out:"attachmentSet,always"`
	Encrypted                *bool
	KmsKeyId                 string
	OwnerId                  string
	VolumeArn                string
}

// VolumeAttachment: in a reply.
type VolumeAttachment struct {
	DeleteOnTermination   *bool
	AssociatedResource    string
	InstanceOwningService string
	EbsCardIndex          *int32
	VolumeId              string
	InstanceId            string
	Device                string
	State                 string `out:"status"`
	AttachTime            time.Time
}
