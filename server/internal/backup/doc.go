// Package backup makes and reads backups of the server's database by means of
// PostgreSQL's own pg_dump, pg_restore and psql.
//
// A backup is one file in pg_dump's custom format, of one state of the database
// while servers go on. Restoring is one transaction: what was there before is
// either replaced whole or still there. Passwords go to the programs through
// their environment, never through their command line.
package backup
