package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"activity-tracker.example/hostd/text"
)

// entry is a known key as one file has it.
type entry struct {
	key    key
	value  value
	source string // "FILE:LINE"
}

// parse reads a file's keys. It walks the syntax tree itself instead of
// decoding into a struct, since only the tree knows the line of each key.
func parse(path string, data []byte, keys []key) ([]entry, error) {
	if i := strings.IndexFunc(string(data), forbidden); i >= 0 {
		line := 1 + strings.Count(string(data[:i]), "\n")
		return nil, &Error{Source: at(path, line), Problem: "has a control character; only text is allowed"}
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, syntaxError(path, err)
	}
	w := walker{path: path, keys: keys, seen: make(map[string]int)}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if body != nil {
			return nil, &Error{Source: at(path, line(doc.Body)), Problem: "a second YAML document; only one is read"}
		}
		body = doc.Body
	}
	if body == nil || body.Type() == ast.CommentType || body.Type() == ast.NullType {
		return nil, nil
	}
	if err := w.mapping("", body); err != nil {
		return nil, err
	}
	return w.entries, nil
}

// forbidden returns which characters no configuration has; the YAML parser takes
// some of them for ends of lines.
func forbidden(r rune) bool {
	return r < 0x20 && r != '\n' && r != '\t' && r != '\r' || r == 0x7f
}

func syntaxError(path string, err error) error {
	var ye yaml.Error
	if !errors.As(err, &ye) || ye.GetToken() == nil {
		return &Error{Source: path, Problem: "is not valid YAML: " + firstLine(err.Error())}
	}
	return &Error{Source: at(path, ye.GetToken().Position.Line), Problem: "is not valid YAML: " + firstLine(ye.GetMessage())}
}

type walker struct {
	path    string
	keys    []key
	seen    map[string]int // the line of each key so far
	entries []entry
}

// mapping reads the keys of one group; prefix is "" or the group's name with a
// dot behind it.
func (w *walker) mapping(prefix string, n ast.Node) error {
	if prefix != "" && scalar(n).kind == kindNull {
		return nil // a group whose keys are all commented out
	}
	values, ok := pairs(n)
	if !ok {
		return &Error{
			Source: at(w.path, line(n)), Key: strings.TrimSuffix(prefix, "."),
			Problem: fmt.Sprintf("%s; want %s such as \"%s: …\"", scalar(n).describe(), kindMap, w.example(prefix)),
		}
	}
	for _, pair := range values {
		if err := w.pair(prefix, pair); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) pair(prefix string, pair *ast.MappingValueNode) error {
	name, source := prefix+keyText(pair.Key), at(w.path, line(pair.Key))
	if first, dup := w.seen[name]; dup {
		return &Error{Source: source, Key: name, Problem: fmt.Sprintf("is given twice; line %d has it already", first)}
	}
	w.seen[name] = line(pair.Key)
	if w.isGroup(name) {
		return w.mapping(name+".", pair.Value)
	}
	for _, k := range w.keys {
		if k.name == name {
			w.entries = append(w.entries, entry{key: k, value: scalar(pair.Value), source: source})
			return nil
		}
	}
	return &Error{Source: source, Key: text.Line(name, maxShown), Problem: unknownKey(name, w.keys)}
}

func (w *walker) isGroup(name string) bool {
	for _, k := range w.keys {
		if strings.HasPrefix(k.name, name+".") {
			return true
		}
	}
	return false
}

// example is the first key of a group, without the group's name.
func (w *walker) example(prefix string) string {
	for _, k := range w.keys {
		if rest, ok := strings.CutPrefix(k.name, prefix); ok {
			return rest
		}
	}
	return ""
}

// pairs returns the keys of a mapping, which the parser represents in two ways.
func pairs(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch m := n.(type) {
	case *ast.MappingNode:
		return m.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}, true
	}
	return nil, false
}

// scalar returns what YAML took a value for. Anchors, aliases and tags are no
// part of a configuration.
func scalar(n ast.Node) value {
	switch s := n.(type) {
	case *ast.StringNode:
		return value{kind: kindString, text: s.Value}
	case *ast.LiteralNode:
		return value{kind: kindString, text: s.Value.Value}
	case *ast.IntegerNode:
		return value{kind: kindInt, text: fmt.Sprint(s.Value)}
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return value{kind: kindFloat, text: n.GetToken().Value}
	case *ast.BoolNode:
		return value{kind: kindBool, text: fmt.Sprint(s.Value)}
	case *ast.NullNode, nil:
		return value{kind: kindNull}
	case *ast.MappingNode, *ast.MappingValueNode:
		group := value{kind: kindMap}
		list, _ := pairs(s)
		for _, pair := range list {
			group.fields = append(group.fields, field{keyText(pair.Key), scalar(pair.Value)})
		}
		return group
	case *ast.SequenceNode:
		list := value{kind: kindList, items: make([]value, 0, len(s.Values))}
		for _, item := range s.Values {
			list.items = append(list.items, scalar(item))
		}
		return list
	}
	return value{kind: kindOther}
}

func keyText(n ast.Node) string {
	if t := n.GetToken(); t != nil {
		return t.Value
	}
	return ""
}

func line(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 1
}

func at(path string, line int) string { return fmt.Sprintf("%s:%d", path, line) }

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s
}

// unknownKey names the key that was probably meant, or all there are.
func unknownKey(name string, keys []key) string {
	const closeEnough = 4 // typing slips that a name survives, such as a missing "_sec"
	best, distance := "", closeEnough+1
	names := make([]string, 0, len(keys))
	for _, k := range keys {
		names = append(names, k.name)
		if len(name) > len(k.name)+closeEnough {
			continue
		}
		if d := editDistance(name, k.name); d < distance {
			best, distance = k.name, d
		}
	}
	if best != "" {
		return fmt.Sprintf("unknown key; did you mean %s?", best)
	}
	return "unknown key; known are " + strings.Join(names, ", ")
}

// editDistance is Levenshtein's, in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
