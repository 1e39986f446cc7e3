package selfapi

import (
	"context"
	"fmt"

	"activity-tracker.example/server/api/policy"
	"activity-tracker.example/server/internal/store/self"
)

// maxHosts is of how many hosts of somebody's the rules are read.
const maxHosts = 20

// Rules are what policy lets hosts of somebody's own measure at this moment. The hosts' own
// files, which the server does not know, may let them measure less.
type Rules struct {
	Hosts []string
	// Versions are the policies that hold, the one for all hosts first; none: there is none.
	Versions []policy.Version
	Most     policy.Effective
}

// RulesOf returns the rules of the hosts of accounts: hosts with the same are together. Partly
// means that there are more hosts.
func (a *API) RulesOf(ctx context.Context, accounts []int32) (list []Rules, partly bool, err error) {
	hosts, err := a.self.Hosts(ctx, accounts)
	if err != nil {
		return nil, false, err
	}
	if partly = len(hosts) > maxHosts; partly {
		hosts = hosts[:maxHosts]
	}
	known := map[string]int{}
	for _, h := range hosts {
		held, err := a.policies.ForHost(ctx, h.ID)
		if err != nil {
			return nil, false, err
		}
		versions := held.At(a.now())
		key := ""
		for _, v := range versions {
			key += fmt.Sprint(v.Version, " ")
		}
		i, found := known[key]
		if !found {
			i = len(list)
			known[key] = i
			list = append(list, Rules{Versions: versions, Most: policy.Narrow(all(), versions)})
		}
		list[i].Hosts = append(list[i].Hosts, h.Hostname)
	}
	return list, partly, nil
}

// all is a host's file that lets everything be measured that may be.
func all() policy.Document {
	return policy.Document{Screenshots: &policy.Screenshots{Allow: new(true), Kind: policy.Readable}}
}

// Receipts returns which notices were read from accounts, the newest first.
func (a *API) Receipts(ctx context.Context, accounts []int32) ([]self.Receipt, error) {
	return a.self.Receipts(ctx, accounts)
}
