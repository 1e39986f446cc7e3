package export

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"

	"activity-tracker.example/server/internal/store/dossier"
	"activity-tracker.example/server/internal/tabular"
)

// readmeName is the file that describes the others.
const readmeName = "README.txt"

// The forms of a list.
const (
	asCSV   = ".csv"
	asLines = ".jsonl"
	asJSON  = ".json"
	// asPicture is of pictures, each a file of its own.
	asPicture = ".jpg"
)

// description is what README.txt has of a file, in both languages.
type description struct{ file, english, russian string }

// files are those of an export, in their order.
func files() []description {
	return []description{
		{
			dossier.FilePerson, "the person, their accounts and the groups that they are in",
			"человек, его учётные записи и группы, в которых он состоит",
		},
		{
			dossier.FileEvents, "every record that is kept: one an account and minute, with all its fields",
			"все хранимые записи: по одной на учётную запись и минуту, со всеми полями",
		},
		{
			dossier.FileSums, "sums of each quarter of an hour (UTC), which are kept longer than records",
			"суммы за каждые четверть часа (UTC); они хранятся дольше записей",
		},
		{
			dossier.FileNotCollected, "times in which, by rule, nothing was collected: outside work hours, or in a pause",
			"время, когда по правилам ничего не собиралось: вне рабочих часов или на паузе",
		},
		{
			dossier.FileReceipts, "which notice was confirmed as read from which account, and when",
			"какое уведомление, с какой учётной записи и когда подтверждено как прочитанное",
		},
		{
			dossier.FileScreenshots, "pictures of the screen, which lie in the folder of that name, and who deleted one",
			"снимки экрана (сами они - в папке с тем же названием) и кто удалил снимок",
		},
		{
			dossier.FileNotes, "what the person wrote to explain a span of time, and what was answered",
			"пояснения человека к отрезкам времени и ответы на них",
		},
		{
			dossier.FileAccess, "who looked at this data, and when; this export is among it",
			"кто и когда смотрел эти данные; эта выгрузка тоже указана",
		},
		{
			dossier.FileChanges, "what administrators changed about the person: names, groups, accounts",
			"что администраторы меняли: имена, группы, учётные записи",
		},
		{
			dossier.FilePolicy, "versions of policy that name one of the user names as not measured",
			"версии правил, в которых одно из имён пользователя указано как исключённое из учёта",
		},
		{
			dossier.FileMonths, "days of closed months, as they stood when the month was closed; without figures where somebody else's account has a part in them",
			"дни закрытых месяцев, какими они были при закрытии; без цифр, если в них есть доля чужой учётной записи",
		},
	}
}

// readme returns the text of README.txt.
func readme() string {
	var b strings.Builder
	b.WriteString("Everything that Activity Tracker keeps about one person.\r\n\r\n")
	for _, f := range files() {
		fmt.Fprintf(&b, "%s\r\n    %s\r\n", strings.Join(namesOf(f.file), ", "), f.english)
	}
	b.WriteString("\r\nCSV is for spreadsheets, JSON (.jsonl: one object a line) for programs; both hold the\r\n" +
		"same. Text is UTF-8, times are UTC. In CSV a text that a spreadsheet would take for a\r\n" +
		"formula begins with an apostrophe. The database's backups may hold more, older data.\r\n\r\n")
	b.WriteString("Всё, что Activity Tracker хранит об одном человеке.\r\n\r\n")
	for _, f := range files() {
		fmt.Fprintf(&b, "%s\r\n    %s\r\n", strings.Join(namesOf(f.file), ", "), f.russian)
	}
	b.WriteString("\r\nCSV - для таблиц, JSON (.jsonl: один объект на строку) - для программ; содержание одно\r\n" +
		"и то же. Текст в UTF-8, время - UTC. В CSV текст, который таблица приняла бы за формулу,\r\n" +
		"начинается с апострофа. В резервных копиях базы могут быть и более старые данные.\r\n")
	return b.String()
}

// namesOf returns the names in the archive of a file in its forms.
func namesOf(file string) []string {
	switch file {
	case dossier.FilePerson:
		return []string{file + asJSON}
	case dossier.FileScreenshots:
		return []string{file + asCSV, file + asLines, file + "/*" + asPicture}
	}
	return []string{file + asCSV, file + asLines}
}

// addText adds a file with that text.
func addText(z *zip.Writer, name, text string) error {
	w, err := z.Create(name)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err
}

// addList adds a list in both forms; rows is gone through twice, so that none is kept.
func addList[T any](z *zip.Writer, file string, rows func() iter.Seq2[T, error]) error {
	w, err := z.Create(file + asCSV)
	if err != nil {
		return err
	}
	table := tabular.NewWriter[T](w, tabular.Plain)
	if err := table.Header(); err != nil {
		return err
	}
	if err := each(rows(), table.Write); err != nil {
		return err
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if w, err = z.Create(file + asLines); err != nil {
		return err
	}
	lines := json.NewEncoder(w)
	return each(rows(), func(row T) error { return lines.Encode(row) })
}

func each[T any](rows iter.Seq2[T, error], do func(T) error) error {
	for row, err := range rows {
		if err == nil {
			err = do(row)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
