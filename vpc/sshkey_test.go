package vpc

import (
	"encoding/base64"
	"testing"

	"moat/fault"
)

// The keys were made by ssh-keygen, the fingerprints by the commands that the
// EC2 user guide gives: openssl pkey -outform DER | openssl md5 -c, openssl pkcs8
// -topk8 -outform DER | openssl sha1 -c, ssh-keygen -l.
const (
	rsaLine    = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDY7fHAI7Xf5sF2JrndaWpKDzkgEToudNwk0D+KLaL4tvJvQckXAwISXVTBmNlhv3hGubIdR0FeLpRpqCG3NEEnUN6MAlhk35ZNFZm8H1OOKTrTRy4tCrNCRt5iZIzVe+TfHvYvFhzDanK16H+5ycVaRcQDI/dd/oSuNwlpKjrIJerDSM8O+Zyu9Pw5J5L6sQHmrJc2oyl245cqQ+f4n+1/8KZ9eWxOd6E52ksX5HjeSOAhqxIs6VNvhRL5EDQIvwwyxUiRzM1Rx1Oo0PDtCK7owIu5pPPStI17ovrZ0BWnFfHWWn1MdBkbEFqQ6Hw8Bni62ko9Cu9gH4bACTda7Qnv"
	rsaDER     = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA2O3xwCO13+bBdia53WlqSg85IBE6LnTcJNA/ii2i+Lbyb0HJFwMCEl1UwZjZYb94RrmyHUdBXi6UaaghtzRBJ1DejAJYZN+WTRWZvB9Tjik600cuLQqzQkbeYmSM1Xvk3x72LxYcw2pyteh/ucnFWkXEAyP3Xf6ErjcJaSo6yCXqw0jPDvmcrvT8OSeS+rEB5qyXNqMpduOXKkPn+J/tf/CmfXlsTnehOdpLF+R43kjgIasSLOlTb4US+RA0CL8MMsVIkczNUcdTqNDw7Qiu6MCLuaTz0rSNe6L62dAVpxXx1lp9THQZGxBakOh8PAZ4utpKPQrvYB+GwAk3Wu0J7wIDAQAB"
	rsaPKCS8   = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDY7fHAI7Xf5sF2JrndaWpKDzkgEToudNwk0D+KLaL4tvJvQckXAwISXVTBmNlhv3hGubIdR0FeLpRpqCG3NEEnUN6MAlhk35ZNFZm8H1OOKTrTRy4tCrNCRt5iZIzVe+TfHvYvFhzDanK16H+5ycVaRcQDI/dd/oSuNwlpKjrIJerDSM8O+Zyu9Pw5J5L6sQHmrJc2oyl245cqQ+f4n+1/8KZ9eWxOd6E52ksX5HjeSOAhqxIs6VNvhRL5EDQIvwwyxUiRzM1Rx1Oo0PDtCK7owIu5pPPStI17ovrZ0BWnFfHWWn1MdBkbEFqQ6Hw8Bni62ko9Cu9gH4bACTda7QnvAgMBAAECggEACTTP9bTjmxpSoOOz2k8G+8L5oarEKq868zUDUqdCgLEC85skdZ2Nu58ftwz4QiBmHQT0fNmb+etFe9Zu19+X2ZtNAT7NkY+2ST80Gbpv9AXmlouGzNKPblijnM63oLfJVs7G6T3+/9bHV4ED1VatfCSfKk2fH0DAphl1L3QOBUBtWdDn7tmMq0Ws2jyAYHMnL+jnhyqreIQmO4DHrrk3wTWdeJ5w9VANlk4+Lj3BBQUs8/u43HXSTtrCWXtGzN7zTMiNhUZOwHtRgRPtd576CDPiQEHeCkiNxK9LO9qWwrfP3463xpWpyJGtdNGzVnu4TRKvCcNrxp0CE7EiLvUtAQKBgQD01iiMO9qdiLwRiDxV+kj0scK544HvT1RKxHNqijJF5smSg2ceB1NYjHAzIlwH2ODs194KkcnYZIqwsgJjBuFy5MiW0v4E19n4vAAEX88JDlNrsf0qH0yX82dWnLgL4gBT8TA3WEWMrqAR60mxXAmP5vMnPjpryUp1UpsWGakXMQKBgQDi0gq/CvI/QfzFZDcWAsgN6BSfthZuJCiSYbuUTbOAWVVX4ec1JHDXbrf6Vpzhq70vEgXFz0dbMgdIHYvzHFXaAQ2p2Hj/Uncc6dyYCYCszR5bSsYiamSEosQd73zr0/FMOEFoEtpTpJKVHnUNX7TcPK3Qm22UlUmXYF8bme4rHwKBgBOPmKW7knfLmNr9u3RTDskd+qTHXHY2LFHc6Cu25tVW3vvpq69mfm4wqjYrpJar6SyDAqZth2bWgY4karRmtFRtmukR6mGQrUWGH6o5zVy33EpaahOXdJMfSz5MPxgT8lrChkulrcjTms5TsguNguYQWZTlD93UszI0a1eUrUHBAoGAJ575MZX/6vzj4rc2yCmEOKmpsJxmHqdCTw+zbJyGFo2EUu2rLaVH8NnuWVR34xPU4DwNthgXJt7+VqKSp8zzUjmM4XZm7HLDS9GuLwC58XWDL/9HzQs4s9Ka33/OGoPTSrUo970TVjkRQesoF0X4meAfnKkJ40KQsFitRG0HJZECgYEAymCEfJRQ2e+4OO944r+a94kW8je64WSmK0NLfsavQs4sg3hVBS6GyXk7qsL5yMfIc1G/1s1F/gSB0w5TosuNkv9XG7XuBcWvJlVylXCC6efMHiKi0rtEEIVWXj+IDJUeTcKIHlZu/j/rzJHm/ApBU8uW9fSfjdNamS8KhADlbC4="
	rsaRFC4716 = `---- BEGIN SSH2 PUBLIC KEY ----
Comment: "2048-bit RSA, converted by root@vm from OpenSSH"
AAAAB3NzaC1yc2EAAAADAQABAAABAQDY7fHAI7Xf5sF2JrndaWpKDzkgEToudNwk0D+KLa
L4tvJvQckXAwISXVTBmNlhv3hGubIdR0FeLpRpqCG3NEEnUN6MAlhk35ZNFZm8H1OOKTrT
Ry4tCrNCRt5iZIzVe+TfHvYvFhzDanK16H+5ycVaRcQDI/dd/oSuNwlpKjrIJerDSM8O+Z
yu9Pw5J5L6sQHmrJc2oyl245cqQ+f4n+1/8KZ9eWxOd6E52ksX5HjeSOAhqxIs6VNvhRL5
EDQIvwwyxUiRzM1Rx1Oo0PDtCK7owIu5pPPStI17ovrZ0BWnFfHWWn1MdBkbEFqQ6Hw8Bn
i62ko9Cu9gH4bACTda7Qnv
---- END SSH2 PUBLIC KEY ----`
	edLine = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO7Ekv7Iek8c2aPPJQ1L0kkg5NC6qhCBjtESwoE3GS83"
)

func TestFingerprintsAreThoseOfTheUserGuide(t *testing.T) {
	private, _ := base64.StdEncoding.DecodeString(rsaPKCS8)
	for _, row := range []struct{ form, text, kind, imported, created string }{
		{"OpenSSH", rsaLine, "rsa", "1c:52:6b:81:17:ee:28:4a:cf:b1:63:d5:23:e3:29:d4", "01:a7:3c:ce:01:6f:c9:b5:bf:8c:9f:44:6d:b9:19:90:a4:75:d7:9e"},
		{"OpenSSH with a comment", rsaLine + " me@here\n", "rsa", "1c:52:6b:81:17:ee:28:4a:cf:b1:63:d5:23:e3:29:d4", "01:a7:3c:ce:01:6f:c9:b5:bf:8c:9f:44:6d:b9:19:90:a4:75:d7:9e"},
		{"DER", rsaDER, "rsa", "1c:52:6b:81:17:ee:28:4a:cf:b1:63:d5:23:e3:29:d4", "01:a7:3c:ce:01:6f:c9:b5:bf:8c:9f:44:6d:b9:19:90:a4:75:d7:9e"},
		{"RFC 4716", rsaRFC4716, "rsa", "1c:52:6b:81:17:ee:28:4a:cf:b1:63:d5:23:e3:29:d4", "01:a7:3c:ce:01:6f:c9:b5:bf:8c:9f:44:6d:b9:19:90:a4:75:d7:9e"},
		{"ED25519", edLine, "ed25519", "Kxx5JsUeJD5acNsPBESjK91n5omzM08Xhhepucmzqgg=", "Kxx5JsUeJD5acNsPBESjK91n5omzM08Xhhepucmzqgg="},
	} {
		k, err := ParseSSHKey(row.text)
		if err != nil {
			t.Errorf("%s: %v", row.form, err)
			continue
		}
		if k.Type != row.kind || k.ImportedFingerprint() != row.imported || k.CreatedFingerprint(private) != row.created {
			t.Errorf("%s: %s, imported %s, created %s; want %s, %s, %s", row.form, k.Type, k.ImportedFingerprint(), k.CreatedFingerprint(private), row.kind, row.imported, row.created)
		}
		if again, err := ParseSSHKey(k.Line("mine")); err != nil || again.ImportedFingerprint() != row.imported {
			t.Errorf("%s: as a line it is another key: %v", row.form, err)
		}
	}
}

func TestWhatIsNoKeyIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "ssh-rsa", "ssh-rsa AAAA", rsaLine[:len(rsaLine)-8], "ssh-ed25519 " + rsaLine[8:], "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY=",
		"---- BEGIN SSH2 PUBLIC KEY ----\n", "ssh-rsa AAAAB3NzaC1yc2H/////",
	} {
		if _, err := ParseSSHKey(text); err == nil || err.(*fault.Error).Code != "InvalidKey.Format" {
			t.Errorf("%.40q: %v, want InvalidKey.Format", text, err)
		}
	}
}
