package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"activity-tracker.example/server/internal/quantity"
)

func text(to func(*Config) *string) func(*Config, []string) error {
	return func(c *Config, values []string) error {
		*to(c) = values[0]
		return nil
	}
}

// list takes values that commas part, and leaves out empty ones.
func list(to func(*Config) *[]string) func(*Config, []string) error {
	return func(c *Config, values []string) error {
		for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
			if part = strings.TrimSpace(part); part != "" {
				*to(c) = append(*to(c), part)
			}
		}
		return nil
	}
}

func oneOf(to func(*Config) *string, words ...string) func(*Config, []string) error {
	return func(c *Config, values []string) error {
		for _, w := range words {
			if values[0] == w {
				*to(c) = w
				return nil
			}
		}
		return fmt.Errorf("want one of %v", words)
	}
}

func toggle(to func(*Config) *bool) func(*Config, []string) error {
	return func(c *Config, values []string) (err error) {
		if *to(c), err = strconv.ParseBool(values[0]); err != nil {
			return errors.New("want true or false")
		}
		return nil
	}
}

func count(least, most int, to func(*Config) *int) func(*Config, []string) error {
	return func(c *Config, values []string) error {
		n, err := strconv.Atoi(values[0])
		if err != nil || n < least || n > most {
			return fmt.Errorf("want %d to %d", least, most)
		}
		*to(c) = n
		return nil
	}
}

// days reads a number of days, of which zero means something else.
func days(zero string, to func(*Config) *time.Duration) func(*Config, []string) error {
	return func(c *Config, values []string) error {
		n, err := strconv.Atoi(values[0])
		if err != nil || n < 0 || n > maxKeepDays {
			return fmt.Errorf("want days from 0 (%s) to %d", zero, maxKeepDays)
		}
		*to(c) = time.Duration(n) * quantity.Day
		return nil
	}
}

func duration(least, most time.Duration, to func(*Config) *time.Duration) func(*Config, []string) error {
	return func(c *Config, values []string) error {
		d, err := quantity.ParseDuration(values[0])
		if err != nil {
			return err
		}
		if d < least || d > most {
			return fmt.Errorf("want a time from %s to %s", quantity.DurationText(least), quantity.DurationText(most))
		}
		*to(c) = d
		return nil
	}
}

func setLogLevel(c *Config, values []string) error {
	switch level := values[0]; level {
	case "debug", "info", "warn", "error":
		return c.Log.Level.UnmarshalText([]byte(level))
	}
	return errors.New("want one of [debug info warn error]")
}

func setVerbose(c *Config, values []string) error {
	verbose := false
	if err := toggle(func(*Config) *bool { return &verbose })(c, values); err != nil {
		return err
	}
	if verbose {
		c.Log.Level = slog.LevelDebug
	}
	return nil
}

func setListen(c *Config, values []string) error {
	addr := values[0]
	if _, err := strconv.ParseUint(addr, 10, 16); err == nil {
		return fmt.Errorf("want ADDRESS:PORT, or :PORT for all addresses; did you mean :%s?", addr)
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return errors.New("want ADDRESS:PORT, or :PORT for all addresses")
	}
	c.Listen = addr
	return nil
}

// setFirstToken takes what the environment has for it, and what a switch has.
func setFirstToken(c *Config, values []string) error {
	switch values[0] {
	case "log", "true":
		c.FirstTokenToLog = true
	case "false":
	default:
		return errors.New("want log, or nothing")
	}
	return nil
}
