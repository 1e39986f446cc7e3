package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"activity-tracker.example/server/api"
	"activity-tracker.example/server/internal/store/audit"
	"activity-tracker.example/server/internal/store/db"
)

type categoriesError string

func (e categoriesError) Error() string { return string(e) }

// Decided makes it a db.Decision.
func (categoriesError) Decided() {}

// ErrCategoriesChanged means that the categories have another version than the one
// that a change was made of.
const ErrCategoriesChanged categoriesError = "the categories have been changed meanwhile"

// Categories returns the list of categories. Without one it is empty, of version 0.
func (d *Directory) Categories(ctx context.Context) (api.CategoryList, error) {
	var list api.CategoryList
	err := d.db.Read(ctx, "reading categories", func(tx pgx.Tx) (err error) {
		list, err = readCategories(ctx, tx, "")
		return err
	})
	return list, err
}

func readCategories(ctx context.Context, tx pgx.Tx, lock string) (api.CategoryList, error) {
	list := api.CategoryList{Categories: []api.Category{}}
	var raw []byte
	err := tx.QueryRow(ctx, "SELECT version, list FROM category_list"+lock).Scan(&list.Version, &raw)
	if errors.Is(err, pgx.ErrNoRows) {
		return list, nil
	}
	if err != nil {
		return list, err
	}
	if err := json.Unmarshal(raw, &list.Categories); err != nil {
		return list, fmt.Errorf("reading the stored list: %w", err)
	}
	return list, nil
}

// SetCategories puts a list in the place of the one there is if that has one of
// these versions, or any for nil, else it returns ErrCategoriesChanged.
func (d *Directory) SetCategories(ctx context.Context, categories []api.Category, versions []int64) (api.CategoryList, error) {
	var list api.CategoryList
	raw, err := json.Marshal(categories)
	if err != nil {
		return list, fmt.Errorf("writing categories: %w", err)
	}
	err = d.db.Write(ctx, "writing categories", func(tx pgx.Tx) error {
		// Two first lists at once: the second waits here.
		_, err := db.Exec(ctx, tx, "making the list", "INSERT INTO category_list (version, list) VALUES (0, '[]') ON CONFLICT DO NOTHING")
		if err != nil {
			return err
		}
		if list, err = readCategories(ctx, tx, " FOR UPDATE"); err != nil {
			return err
		}
		if versions != nil && !slices.Contains(versions, list.Version) {
			return ErrCategoriesChanged
		}
		list.Categories = categories
		list.Version++
		if _, err = db.Exec(ctx, tx, "replacing the list", "UPDATE category_list SET version = $1, list = $2", list.Version, raw); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Change{What: "categories.replaced", Details: map[string]string{
			"version": strconv.FormatInt(list.Version, 10), "categories": strconv.Itoa(len(categories)),
		}})
	})
	return list, err
}
