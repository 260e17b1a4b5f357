// Command moat is Amazon EC2 security groups that you run yourself.
package main

import (
	"os"

	_ "early.moat"

	"moat/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:])) }
