-- Accounts that a rule of equal user names joined to a person or sent home, until that is
-- written down in the audit log: those who write events do not wait for its lock. It has no
-- foreign keys, as they take none of others' either.
CREATE TABLE rule_move (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    machine integer NOT NULL,
    before  bigint NOT NULL,
    person  bigint NOT NULL,
    home    bigint NOT NULL,
    -- The host group; null where the account is under no rule any more.
    rule    integer
);
CREATE INDEX rule_move_machine ON rule_move (machine);

-- As before, and what it moved is noted.
CREATE OR REPLACE FUNCTION join_by_name(of_rule integer, of_name text, OUT moved integer[], OUT people bigint[]) LANGUAGE plpgsql AS $$
BEGIN
    WITH due AS MATERIALIZED (
        SELECT machine, home, person, hand, named_late,
            hand IS NOT NULL OR EXISTS (SELECT FROM account o WHERE o.person = a.home AND o.machine <> a.machine AND o.hand = 'joined') AS fixed
        FROM account a WHERE rule = of_rule AND name = of_name AND hand IS DISTINCT FROM 'parted'
    ), lead AS MATERIALIZED (
        SELECT CASE WHEN hand IS NULL THEN home ELSE person END AS person FROM due ORDER BY named_late, NOT fixed, machine LIMIT 1
    ), room AS MATERIALIZED (
        SELECT 100 - (SELECT count(*) FROM account a JOIN lead ON lead.person = a.person
            WHERE a.machine <> ALL(ARRAY(SELECT machine FROM due WHERE NOT fixed))) AS places
    ), wanted AS (
        SELECT machine, person AS before, CASE WHEN row_number() OVER (ORDER BY named_late, machine) <= (SELECT places FROM room)
            THEN (SELECT person FROM lead) ELSE home END AS person FROM due WHERE NOT fixed
        UNION ALL SELECT machine, person, home FROM due WHERE fixed AND hand IS NULL
    ), done AS (
        UPDATE account a SET person = w.person FROM wanted w WHERE a.machine = w.machine AND a.person <> w.person
        RETURNING a.machine, w.before, a.person, a.home
    ), noted AS (
        INSERT INTO rule_move (machine, before, person, home, rule) SELECT machine, before, person, home, of_rule FROM done ORDER BY machine
    )
    SELECT coalesce(array_agg(d.machine), '{}'), coalesce(array_agg(d.before) || array_agg(d.person), '{}') INTO moved, people FROM done d;
END $$;

-- As before, and what it moved is noted.
CREATE OR REPLACE FUNCTION apply_name_rule(keys integer[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    rules   integer[];
    names   text[];
    moved   integer[];
    people  bigint[];
    one     record;
BEGIN
    PERFORM pg_advisory_xact_lock(128034608999265);
    WITH now AS MATERIALIZED (
        SELECT a.machine, a.name, a.rule AS was, CASE WHEN a.name IS NOT NULL AND NOT a.unruled THEN name_rule_of(m.host) END AS rule
        FROM account a JOIN machine m ON m.id = a.machine WHERE a.machine = ANY(keys)
    ), noted AS (
        UPDATE account a SET rule = now.rule FROM now WHERE a.machine = now.machine AND now.rule IS DISTINCT FROM now.was
    ), pairs AS (
        SELECT was AS rule, name FROM now UNION SELECT rule, name FROM now
    )
    SELECT array_agg(p.rule ORDER BY p.rule, p.name), array_agg(p.name ORDER BY p.rule, p.name) INTO rules, names
    FROM pairs p WHERE p.rule IS NOT NULL;

    WITH left_rule AS (
        UPDATE account a SET person = a.home FROM account b
        WHERE b.machine = a.machine AND a.machine = ANY(keys) AND a.rule IS NULL AND a.hand IS NULL AND a.person <> a.home
        RETURNING a.machine, b.person AS before, a.person
    ), noted AS (
        INSERT INTO rule_move (machine, before, person, home) SELECT machine, before, person, person FROM left_rule ORDER BY machine
    )
    SELECT coalesce(array_agg(machine), '{}'), coalesce(array_agg(before) || array_agg(person), '{}') INTO moved, people FROM left_rule;
    FOR i IN 1 .. coalesce(cardinality(rules), 0) LOOP
        SELECT * INTO one FROM join_by_name(rules[i], names[i]);
        moved := moved || one.moved;
        people := people || one.people;
    END LOOP;
    IF moved <> '{}' THEN
        PERFORM FROM machine_group WHERE id IN (SELECT grp FROM group_person WHERE person = ANY(people)) ORDER BY id FOR NO KEY UPDATE;
        PERFORM regroup_accounts(moved);
    END IF;
END $$;
