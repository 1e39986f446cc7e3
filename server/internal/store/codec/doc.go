// Package codec turns events, and the sums of what they count, into bytes and back.
// It knows no SQL and no clock.
//
//   - event.go: one event, as it is stored when it arrives.
//   - hour.go: the events of one machine and hour, field by field.
//   - day.go: the sums of one machine and day.
//
// The numbers of one field are packed by column.
package codec
