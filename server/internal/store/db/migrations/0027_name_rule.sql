-- A host said that the user is one of the system's, by number: no rule is for them. It is not
-- called system_user, which PostgreSQL 16 keeps for itself. Machines are locked first here, as
-- by those who write events.
ALTER TABLE machine ADD COLUMN of_system boolean NOT NULL DEFAULT false;

-- The rule of a host group that equal user names are one person. An administrator has
-- confirmed for it that its hosts share one directory: since then, and who.
ALTER TABLE host_group
    ADD COLUMN confirmed_at timestamptz,
    ADD COLUMN confirmed_by text NOT NULL DEFAULT '';

-- What an administrator calls a host, whatever it calls itself.
ALTER TABLE host ADD COLUMN label text NOT NULL DEFAULT '';

-- What an account's person comes of: what an administrator did with it by hand, else the
-- rule that it is under, else the person that it was made with. As all of it is kept, any
-- order of changes has one result, and taking a change back leaves no trace.
ALTER TABLE account
    -- joined: it stays with the person that it was joined to. parted: no rule joins it.
    ADD COLUMN hand       text CHECK (hand IN ('joined', 'parted')),
    -- The user name that rules go by: the first that was known, by its bytes.
    ADD COLUMN name       text COLLATE "C",
    -- It was known only after the account was made: others come before it.
    ADD COLUMN named_late boolean NOT NULL DEFAULT false,
    -- No rule goes by it: it is a system user's, or another came after it, so that the
    -- account is not one user's.
    ADD COLUMN unruled    boolean NOT NULL DEFAULT false,
    -- The host group whose rule it is under, joined by it or not.
    ADD COLUMN rule       integer REFERENCES host_group;

-- Names of users that Debian makes, or reserves for programs.
CREATE FUNCTION is_system_name(name text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT name = ANY('{root,daemon,bin,sys,sync,games,man,lp,mail,news,uucp,proxy,www-data,backup,list,irc,gnats,nobody,
        messagebus,sshd,xrdp,polkitd,avahi,colord,rtkit,pulse,saned,geoclue,lightdm,gdm,gdm3,sddm,postgres,mysql,redis,ntp,
        statd,tss,uuidd,tcpdump,usbmux,dnsmasq,hplip,speech-dispatcher,cups-pk-helper,nm-openvpn,fwupd-refresh,gnome-initial-setup}')
        OR name LIKE '\_%' OR name LIKE 'systemd-%' OR name LIKE 'Debian-%'
$$;

UPDATE account a SET hand = CASE WHEN a.person <> a.home THEN 'joined' END, name = nullif(m.username, ''), unruled = is_system_name(m.username)
FROM machine m WHERE m.id = a.machine AND (a.person <> a.home OR m.username <> '');
CREATE INDEX account_rule ON account (rule, name) WHERE rule IS NOT NULL;
CREATE INDEX account_home ON account (home);

-- Whose rule a host's accounts are under; null: nobody's. Who measures only themselves,
-- without root, is under none: their word is not a host's.
CREATE FUNCTION name_rule_of(of_host bigint) RETURNS integer LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT min(g.id) FROM host h JOIN host_group_member m ON m.host = h.id JOIN host_group g ON g.id = m.grp
        WHERE h.id = of_host AND h.kind = 'host' AND g.confirmed_at IS NOT NULL);
END $$;

-- Has accounts in the groups that their people are in, and in those that they were put
-- into themselves. The groups are locked.
CREATE FUNCTION regroup_accounts(keys integer[]) RETURNS void LANGUAGE sql AS $$
    WITH due AS (SELECT p.grp, m.machine_id, m.id AS machine
            FROM account a JOIN group_person p ON p.person = a.person JOIN machine m ON m.id = a.machine WHERE a.machine = ANY(keys)),
        gone AS (DELETE FROM group_member g WHERE g.machine = ANY(keys) AND NOT g.direct
            AND NOT EXISTS (SELECT FROM due WHERE due.grp = g.grp AND due.machine = g.machine) RETURNING g.grp),
        come AS (INSERT INTO group_member (grp, machine_id, machine, direct)
            SELECT grp, machine_id, machine, false FROM due ORDER BY machine ON CONFLICT DO NOTHING RETURNING grp)
    UPDATE machine_group g SET members = g.members + d.n FROM (
        SELECT grp, sum(n)::int AS n FROM (SELECT grp, -1 AS n FROM gone UNION ALL SELECT grp, 1 FROM come) AS each GROUP BY grp) AS d
    WHERE g.id = d.grp
$$;

-- Joins the accounts under a rule that have one name, and returns which it moved, and
-- of and to which people. They become the person of the first of them: of one named when it was
-- made before one named later, so that no host takes over a person by naming an account
-- again; of one that an administrator joined, or joined others to; of the oldest. Only
-- those move with which no administrator did anything, and no more than a person may have.
CREATE FUNCTION join_by_name(of_rule integer, of_name text, OUT moved integer[], OUT people bigint[]) LANGUAGE plpgsql AS $$
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
        RETURNING a.machine, w.before, a.person
    )
    SELECT coalesce(array_agg(d.machine), '{}'), coalesce(array_agg(d.before) || array_agg(d.person), '{}') INTO moved, people FROM done d;
END $$;

-- Applies the rules to these accounts, which changed or whose hosts did, and to all with
-- whom they were or are under one. It goes by what is committed once no other change of
-- people is under way.
CREATE FUNCTION apply_name_rule(keys integer[]) RETURNS void LANGUAGE plpgsql AS $$
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

-- A new machine gets its person in the transaction that makes it, and becomes another's
-- where a rule has it. Its host is locked by its foreign key before: whoever puts the
-- host under a rule waits for it, or it waits and sees the rule.
CREATE OR REPLACE FUNCTION add_people_of_machines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WITH made AS (SELECT id AS machine, nullif(username, '') AS name, of_system OR is_system_name(username) AS unruled,
            nextval(pg_get_serial_sequence('person', 'id')) AS person FROM added ORDER BY id),
         people AS (INSERT INTO person (id) SELECT person FROM made)
    INSERT INTO account (machine, home, person, name, unruled) SELECT machine, person, person, name, unruled FROM made;
    IF EXISTS (SELECT FROM added a JOIN host_group_member m ON m.host = a.host JOIN host_group g ON g.id = m.grp WHERE g.confirmed_at IS NOT NULL) THEN
        PERFORM apply_name_rule(ARRAY(SELECT id FROM added));
    END IF;
    RETURN NULL;
END $$;

-- A machine that is named, or is another host's now, may come under a rule, or be under
-- none any more. Its host is locked before rules are read, as above, and other changes of
-- people end before its account is changed.
CREATE FUNCTION name_account() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was     account;
    ruled   boolean;
    heir    account;
BEGIN
    PERFORM FROM host WHERE id = NEW.host FOR KEY SHARE;
    SELECT * INTO was FROM account WHERE machine = NEW.id;
    IF OLD.host = NEW.host AND (was.name IS NOT NULL OR NEW.username = '') AND (was.unruled OR NEW.username = was.name AND NOT NEW.of_system) THEN
        RETURN NULL;
    END IF;
    ruled := was.rule IS NOT NULL OR name_rule_of(NEW.host) IS NOT NULL;
    IF ruled THEN
        PERFORM pg_advisory_xact_lock(128034608999265);
    END IF;
    -- Others were joined to the person that this account was made with, and its host reports now
    -- that it is nobody's of that name. They keep the person with label, groups and users, so
    -- that no host takes these along: this account and the next change homes. Not so where an
    -- administrator joined somebody, or the next one's own person is more than a row.
    IF was.rule IS NOT NULL AND was.hand IS NULL AND was.person = was.home AND NOT was.unruled
            AND (NEW.of_system OR is_system_name(NEW.username) OR NEW.username <> was.name) THEN
        SELECT o.* INTO heir FROM account o WHERE o.person = was.home AND o.machine <> NEW.id AND o.rule = was.rule AND o.name = was.name
            AND o.home <> was.home ORDER BY o.named_late, o.machine LIMIT 1;
        IF FOUND AND NOT EXISTS (SELECT FROM account a WHERE a.person = was.home AND a.hand = 'joined')
                AND NOT EXISTS (SELECT FROM account a WHERE a.person = heir.home) AND NOT EXISTS (SELECT FROM group_person g WHERE g.person = heir.home)
                AND NOT EXISTS (SELECT FROM app_user u WHERE u.person = heir.home) AND EXISTS (SELECT FROM person p WHERE p.id = heir.home AND p.label = '') THEN
            UPDATE account a SET home = CASE a.machine WHEN NEW.id THEN heir.home ELSE was.home END WHERE a.machine IN (NEW.id, heir.machine);
        END IF;
    END IF;
    UPDATE account SET name = coalesce(was.name, nullif(NEW.username, '')), named_late = was.named_late OR was.name IS NULL,
        unruled = was.unruled OR NEW.of_system OR is_system_name(NEW.username) OR coalesce(NEW.username <> was.name, false)
    WHERE machine = NEW.id;
    IF ruled THEN
        PERFORM apply_name_rule(ARRAY[NEW.id]);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER machine_named AFTER UPDATE ON machine FOR EACH ROW
    WHEN (OLD.username <> NEW.username OR OLD.host <> NEW.host OR OLD.of_system <> NEW.of_system) EXECUTE FUNCTION name_account();

-- A host that was enrolled as another kind comes under a rule, or out of it.
CREATE FUNCTION rule_host() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM host_group_member m JOIN host_group g ON g.id = m.grp WHERE m.host = NEW.id AND g.confirmed_at IS NOT NULL) THEN
        PERFORM apply_name_rule(ARRAY(SELECT id FROM machine WHERE host = NEW.id));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER host_kind AFTER UPDATE OF kind ON host FOR EACH ROW WHEN (OLD.kind <> NEW.kind) EXECUTE FUNCTION rule_host();
