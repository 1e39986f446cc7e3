package main

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"activity-tracker.example/server/internal/repository"
)

// servicePackages is the package's folder for the agent's packages. It is root's,
// so that the service can read and never change what hosts install.
const servicePackages = "/var/lib/trackerd-packages"

// agentFlags are the flags of serve about the agents that hosts install.
type agentFlags struct {
	packages, baseURL string
}

func (a *agentFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&a.packages, "packages", "", "folder with the agent's signed apt repository, served below /packages/ (default of the service: "+servicePackages+")")
	f.StringVar(&a.baseURL, "base-url", "", "where hosts find this server, such as https://tracker.example.org; with https, /install.sh installs the agent")
	_ = cmd.MarkFlagDirname("packages")
}

// address reads where callers find the server.
func (a *agentFlags) address() (repository.BaseURL, error) {
	base, err := repository.ParseBaseURL(a.baseURL)
	if err != nil {
		return base, fmt.Errorf("--base-url %q: %w", a.baseURL, err)
	}
	return base, nil
}

// repository is what hosts install from; service is set when this is the package's
// service.
func (a *agentFlags) repository(service bool) (*repository.Repository, error) {
	base, err := a.address()
	if err != nil {
		return nil, err
	}
	dir := a.packages
	if service {
		dir = cmp.Or(dir, servicePackages)
	}
	return repository.New(repository.Options{Dir: dir, BaseURL: base}), nil
}
