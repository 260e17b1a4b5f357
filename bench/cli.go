package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// cli compares the command line with the AWS CLI, from the start of the
// process to its end. Runs take turns, so that what drifts meets both alike.
func (b *bench) cli() error {
	section("Command line: describe-security-groups, start to finish")
	const aws = "/usr/bin/aws"
	version, err := exec.Command(aws, "--version").Output()
	if err != nil {
		note("no %s (apt-get install awscli): nothing to compare with", aws)
		return nil
	}
	note("compared with %s", bytes.TrimSpace(version))
	d, err := b.dataset("cli", 3, 2)
	if err != nil {
		return err
	}
	defer d.stop()
	env := append(os.Environ(), "AWS_ACCESS_KEY_ID="+d.signer.key, "AWS_SECRET_ACCESS_KEY="+d.signer.secret, "AWS_DEFAULT_REGION="+d.signer.region,
		"AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true")
	args := []string{"--endpoint-url", "http://" + d.signer.addr, "ec2", "describe-security-groups"}
	var want []byte
	run := func(bin string, more ...string) (float64, error) {
		c := exec.Command(bin, append(more, args...)...)
		c.Env = env
		began := time.Now()
		out, err := c.Output()
		took := time.Since(began)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", bin, err)
		}
		if len(more) > 0 || bin == aws { // the form of 2.9.19: the same bytes
			if want == nil {
				want = out
			}
			if !bytes.Equal(out, want) {
				return 0, fmt.Errorf("%s: another answer than the AWS CLI's", bin)
			}
		}
		return ms(took), nil
	}
	var theirs, ours, compat, nothing, shares []float64
	for i := range 2*b.rounds + 1 {
		a, err := run(aws)
		if err != nil {
			return err
		}
		m, err := run(b.bin)
		if err != nil {
			return err
		}
		c, err := run(b.bin, "--cli-compat", "2.9.19")
		if err != nil {
			return err
		}
		began := time.Now()
		if err := exec.Command(b.bin, "version").Run(); err != nil {
			return err
		}
		v := ms(time.Since(began))
		if i > 0 { // the first warms up
			theirs, ours, compat, nothing, shares = append(theirs, a), append(ours, m), append(compat, c), append(nothing, v), append(shares, a/m)
		}
	}
	fmt.Printf("moat %.1f ms, with --cli-compat %.1f ms, `moat version` %.1f ms, the AWS CLI %.0f ms\n", median(ours), median(compat), median(nothing), median(theirs))
	goal("describe-security-groups, start to finish", "at most 15 ms", fmt.Sprintf("%.1f ms", median(ours)), median(ours) <= 15)
	goal("against the AWS CLI in the same round", "at least 40 times", fmt.Sprintf("%.0f times", median(shares)), median(shares) >= 40)
	return nil
}
