package main

import (
	"github.com/skerry/skerry/cli/configure"
	"github.com/skerry/skerry/cli/up"
)

// hostCommands run services; they are there on systems that can be hosts.
type hostCommands struct {
	Up    up.Up    `cmd:"" group:"cluster" help:"Start a cluster on this machine."`
	Down  up.Down  `cmd:"" group:"cluster" help:"Stop the cluster that up --detach started."`
	Join  up.Join  `cmd:"" group:"cluster" help:"Make this machine a node of a cluster."`
	Serve up.Serve `cmd:"" group:"cluster" help:"Run one service of a cluster."`

	Simulate up.Simulate `cmd:"" group:"cluster" help:"Run nodes without containers, to try a cluster's size."`
}

// config is `skerry config`, with the commands that need a cluster's keys.
type config struct {
	configure.Command
	Creds up.Creds        `cmd:"" help:"Mint credentials for a service or a person."`
	Token up.Token        `cmd:"" help:"Mint a token with which hosts can join."`
	Kube  up.Kubeconfig   `cmd:"" name:"kubeconfig" help:"Print a configuration for kubectl, with a certificate of its own."`
	Nats  up.ServerConfig `cmd:"" help:"Print what a NATS server of your own needs to be the bus."`
}
