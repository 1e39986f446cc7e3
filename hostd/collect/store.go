package collect

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"activity-tracker.example/hostd/buffer"
	"activity-tracker.example/hostd/interval"
	"activity-tracker.example/hostd/roster"
)

// storedAccount is a session in the buffer: what was counted, and who it is.
type storedAccount struct {
	Session roster.Tracked    `json:"session"`
	Account *interval.Account `json:"account"`
}

// load reads the whole state. bad is how many values were damaged.
func (c *Collector) load() (s interval.State, bad int, err error) {
	s = interval.State{
		Accounts: map[string]*interval.Account{},
		Records:  map[interval.Key]*interval.Record{},
		Machines: map[string]*interval.Machine{},
	}
	account := func(key, value []byte) error {
		var a storedAccount
		if _, _, err := roster.ParseName(string(key)); err != nil || json.Unmarshal(value, &a) != nil || a.Account == nil {
			bad++
			return nil //nolint:nilerr // what cannot be read counts as damaged
		}
		c.known[string(key)] = a.Session
		s.Accounts[string(key)] = a.Account
		return nil
	}
	record := func(_, value []byte) error {
		var r interval.Record
		if err := json.Unmarshal(value, &r); err != nil || r.MachineID == "" {
			bad++
			return nil //nolint:nilerr // what cannot be read counts as damaged
		}
		s.Records[interval.Key{MachineID: r.MachineID, StartUnix: r.StartUnix}] = &r
		return nil
	}
	machine := func(key, value []byte) error {
		var m interval.Machine
		if err := json.Unmarshal(value, &m); err != nil {
			bad++
			return nil //nolint:nilerr // what cannot be read counts as damaged
		}
		s.Machines[string(key)] = &m
		return nil
	}
	for space, fn := range map[buffer.Space]func(key, value []byte) error{
		buffer.Accounts: account, buffer.Records: record, buffer.Machines: machine,
	} {
		n, err := c.buf.Load(space, fn)
		if err != nil {
			return s, bad, err
		}
		bad += n
	}
	return s, bad, nil
}

// keepEncoded is how many bytes of encoded state are kept to be used again; 300
// sessions at once have half of it.
const keepEncoded = 1 << 20

// write is one prepared change of a transaction; a nil value deletes.
type write struct {
	space      buffer.Space
	key, value []byte
}

// commit stores the ledger's changes and the sealed records, all or nothing.
// Everything is encoded before the transaction begins.
func (c *Collector) commit(ch *interval.Changes, sealed []interval.Sealed) error {
	if c.rewrite {
		ch.Set = c.ledger.All()
	}
	writes, err := c.encode(ch)
	if err != nil {
		return err
	}
	events := make([][]byte, 0, len(sealed))
	for i := range sealed {
		c.stats.fill(&sealed[i])
		event, err := encodeEvent(&sealed[i])
		if err != nil {
			return err
		}
		events = append(events, event)
	}
	if len(writes) == 0 && len(events) == 0 {
		return nil
	}
	return c.buf.Update(func(tx *buffer.Tx) error {
		for _, w := range writes {
			put := tx.Put
			if w.value == nil {
				put = func(space buffer.Space, key, _ []byte) error { return tx.Delete(space, key) }
			}
			if err := put(w.space, w.key, w.value); err != nil {
				return err
			}
		}
		for _, e := range events {
			if err := tx.Enqueue(e); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *Collector) encode(ch *interval.Changes) ([]write, error) {
	writes := make([]write, 0, len(ch.Set.Accounts)+len(ch.Set.Records)+len(ch.Set.Machines))
	ends := make([]int, 0, cap(writes))
	if c.encoded.Cap() > keepEncoded {
		c.encoded = bytes.Buffer{}
	}
	c.encoded.Reset()
	enc := json.NewEncoder(&c.encoded)
	var failed error
	set := func(space buffer.Space, key []byte, v any) {
		if err := enc.Encode(v); err != nil {
			failed = fmt.Errorf("encoding the state (%s): %w", space, err)
		}
		writes = append(writes, write{space: space, key: key})
		ends = append(ends, c.encoded.Len())
	}
	sessions := make(map[string]*roster.Tracked, len(c.pending))
	for i := range c.pending {
		sessions[c.pending[i].name] = &c.pending[i].reading.Session
	}
	for session, a := range ch.Set.Accounts {
		stored := storedAccount{Session: c.known[session], Account: a} // only this loop changes known
		if t, ok := sessions[session]; ok {
			stored.Session = *t
		}
		set(buffer.Accounts, []byte(session), &stored)
	}
	for key, r := range ch.Set.Records {
		set(buffer.Records, recordKey(key), r)
	}
	for id, m := range ch.Set.Machines {
		set(buffer.Machines, []byte(id), m)
	}
	begin := 0
	for i, end := range ends { // now that they stay where they are
		writes[i].value = bytes.TrimSuffix(c.encoded.Bytes()[begin:end], []byte("\n"))
		begin = end
	}
	return append(writes, gone(ch)...), failed
}

// gone returns the changes that delete.
func gone(ch *interval.Changes) []write {
	var writes []write
	for _, session := range ch.GoneAccounts {
		writes = append(writes, write{buffer.Accounts, []byte(session), nil})
	}
	for _, key := range ch.GoneRecords {
		writes = append(writes, write{buffer.Records, recordKey(key), nil})
	}
	for _, id := range ch.GoneMachines {
		writes = append(writes, write{buffer.Machines, []byte(id), nil})
	}
	return writes
}

// encodeEvent returns an event as it is uploaded. "<", ">" and "&" stay one byte: six
// would let one person's titles take so much more of the room that all share while the
// server is away.
func encodeEvent(s *interval.Sealed) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&s.Event); err != nil {
		return nil, fmt.Errorf("encoding a record: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// recordKey is the machine_id, a NUL, which none contains, and the start.
func recordKey(k interval.Key) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(k.MachineID), 0), uint64(k.StartUnix))
}
