package main

import (
	"cmp"
	"net"
	"strconv"
)

// listenAddress is where serve listens: the flag, the environment or the usual.
func listenAddress(flag string, get func(string) string) (string, error) {
	name := "--listen"
	if flag == "" {
		name = envListen
	}
	addr := cmp.Or(flag, get(envListen), defaultListen)
	if _, err := strconv.ParseUint(addr, 10, 16); err == nil {
		return "", usagef("%s %q: want ADDRESS:PORT, or :PORT for all addresses; did you mean :%s?", name, addr, addr)
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return "", usagef("%s %q: want ADDRESS:PORT, or :PORT for all addresses", name, addr)
	}
	return addr, nil
}
