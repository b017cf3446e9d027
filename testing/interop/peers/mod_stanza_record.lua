-- Writes every stanza the server receives from a client or sends to one into DIR/stanzas.log, a line each:
-- "in" or "out", the client's address, the stanza, separated by tabs.
module:set_global();

local filters = require "util.filters";
local file = assert(io.open(os.getenv("SUBROSA_DIR") .. "/stanzas.log", "a"));
file:setvbuf("line");

local function recorder(direction)
	return function (stanza, session)
		if type(stanza) == "table" and stanza.name and session.type == "c2s" then
			local text = tostring(stanza):gsub("[\r\n]", " ");
			file:write(direction, "\t", session.full_jid or "-", "\t", text, "\n");
		end
		return stanza;
	end
end

local received, sent = recorder("in"), recorder("out");

filters.add_filter_hook(function (session)
	filters.add_filter(session, "stanzas/in", received, -10000);
	filters.add_filter(session, "stanzas/out", sent, 10000);
end);
