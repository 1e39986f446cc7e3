-- How many machines a host has is asked before it gets new ones.
CREATE INDEX machine_host ON machine (host);
