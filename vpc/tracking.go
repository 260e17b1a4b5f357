package vpc

import "moat/fault"

// The idle timeouts that an interface may set, in seconds: EC2 user guide,
// "Connection tracking timeouts".
var (
	tcpEstablishedRange = timeoutRange{"tcpEstablishedTimeout", 60, 432000}
	udpStreamRange      = timeoutRange{"udpStreamTimeout", 60, 180}
	udpRange            = timeoutRange{"udpTimeout", 30, 60}
)

type timeoutRange struct {
	name        string
	least, most int32
}

// With gives the timeouts with those set that are not nil; a nil receiver has
// none set. The result is nil if none is set after all.
func (t *ConnectionTracking) With(tcpEstablished, udpStream, udp *int32) (*ConnectionTracking, error) {
	var c ConnectionTracking
	if t != nil {
		c = *t
	}
	for _, s := range []struct {
		in *int32
		timeoutRange
		out *int32
	}{
		{tcpEstablished, tcpEstablishedRange, &c.TCPEstablished},
		{udpStream, udpStreamRange, &c.UDPStream},
		{udp, udpRange, &c.UDP},
	} {
		if s.in == nil {
			continue
		}
		if *s.in < s.least || *s.in > s.most {
			return nil, fault.InvalidParameterValue.Say("Value (%d) for parameter %s is invalid. The timeout must be between %d and %d seconds.", *s.in, s.name, s.least, s.most)
		}
		*s.out = *s.in
	}
	if c == (ConnectionTracking{}) {
		return nil, nil
	}
	return &c, nil
}
