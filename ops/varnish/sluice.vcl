vcl 4.1;

# Varnish in front of Sluice, behind Hitch, which ends TLS: event streams as they come, nothing kept, and no token in any
# log. What to change is marked with CHANGE. See README.md beside this file. The parameters in varnishd.args belong to it:
# without them Varnish's own log holds every header.

import directors;
import std;

# CHANGE: the nodes, with the port of the service...
backend node1 {
	.host = "10.0.0.11";
	.port = "3000";
	.connect_timeout = 5s;
	.first_byte_timeout = 60s;
	# A stream is never quiet for longer than HEARTBEAT_MS (15 s; 30 s at the most). Three of these, and it is dead.
	.between_bytes_timeout = 90s;
}

backend node2 {
	.host = "10.0.0.12";
	.port = "3000";
	.connect_timeout = 5s;
	.first_byte_timeout = 60s;
	.between_bytes_timeout = 90s;
}

# ...and the same with the port for operators (OPS_PORT, OPS_HOST), which says whether a node takes streams. Varnish asks at
# no other port than that of the backend itself, so these stand beside them. No request is ever sent there.
probe ready {
	.url = "/readyz";
	.interval = 2s;
	.timeout = 2s;
	.window = 3;
	.threshold = 2;
	.initial = 2;
}

backend node1_ops {
	.host = "10.0.0.11";
	.port = "9464";
	.probe = ready;
}

backend node2_ops {
	.host = "10.0.0.12";
	.port = "9464";
	.probe = ready;
}

sub vcl_init {
	new nodes = directors.round_robin();
	nodes.add_backend(node1);
	nodes.add_backend(node2);
}

# A node that says no gets nothing new; the streams that it has go on, for it asks their clients to move.
sub choose_node {
	if (std.healthy(node1_ops) && std.healthy(node2_ops)) {
		set req.backend_hint = nodes.backend();
	} else if (std.healthy(node1_ops)) {
		set req.backend_hint = node1;
	} else if (std.healthy(node2_ops)) {
		set req.backend_hint = node2;
	} else {
		return (synth(503, "No node takes requests"));
	}
}

# What the log says of a request: one of the known methods and routes, or "other". A stream token has 47 characters of the
# same kind as a workspace's name: a name of 43 and more is not written.
sub tell_log {
	if (req.method ~ "^(GET|HEAD|POST|OPTIONS)$") {
		std.log("method:" + req.method);
	} else {
		std.log("method:other");
	}
	if (req.url ~ "^/realtime/workspace/[A-Za-z0-9_-]{1,42}/(events|stream-tokens|revocations)(\?|$)"
		|| req.url ~ "^/(oauth/token|auth/token|auth/verify|\.well-known/jwks\.json|\.well-known/oauth-authorization-server)(\?|$)") {
		std.log("path:" + regsub(req.url, "\?.*$", ""));
	} else if (req.url ~ "^/realtime/workspace/[A-Za-z0-9_-]{43,64}/(events|stream-tokens|revocations)(\?|$)") {
		std.log("path:" + regsub(req.url, "^/realtime/workspace/[^/]+/([a-z-]+).*$", "/realtime/workspace/:ws/\1"));
	} else {
		std.log("path:other");
	}
	std.log("id:" + req.http.X-Request-Id);
}

sub vcl_recv {
	# The name under which the request is found in this log, the service's log and the answer. Never the client's own, which
	# could hold anything. Varnish has no UUIDs: the number of the request and the moment make one of a kind.
	set req.http.X-Request-Id = req.xid + "-" + std.time2integer(now, 0) + "-" + std.integer(real = std.random(0, 4294967295), fallback = 0);

	# An absolute target is made a path, so that both look the same from here on.
	set req.url = regsub(req.url, "(?i)^https?://[^/?]*", "");
	if (req.url !~ "^/") {
		set req.url = "/" + req.url;
	}
	call tell_log;

	# No redirection: a token that came this way has crossed the network in the clear, and whoever sent it must notice.
	if (local.socket == "plain") {
		return (synth(403, "This address answers over https only"));
	}
	if (req.method !~ "^(GET|HEAD|POST|OPTIONS)$") {
		return (synth(405, "Method not allowed"));
	}

	# What a client says about addresses is not believed: TRUST_PROXY=1 makes the service believe this one. Hitch tells
	# Varnish who the client is, by the PROXY protocol.
	unset req.http.Forwarded;
	unset req.http.X-Real-IP;
	unset req.http.X-Forwarded-Host;
	unset req.http.X-Forwarded-Port;
	unset req.http.X-Forwarded-Server;
	set req.http.X-Forwarded-For = client.ip;
	set req.http.X-Forwarded-Proto = "https";

	call choose_node;
	# Every answer is for one caller. `pass`, not `pipe`: a pipe is for HTTP/1.1 alone, and whatever follows on the same
	# connection would go unseen.
	return (pass);
}

sub vcl_backend_response {
	# Bytes go on as they come, none is kept, none is packed.
	set beresp.uncacheable = true;
	set beresp.ttl = 0s;
	set beresp.do_stream = true;
	set beresp.do_gzip = false;
	set beresp.do_gunzip = false;
	set beresp.do_esi = false;
}

sub vcl_deliver {
	unset resp.http.X-Varnish;
	unset resp.http.Age;
	unset resp.http.Via;
}

# Varnish's own refusals, in the form of the service's, and without the words of the client.
sub vcl_synth {
	unset resp.http.X-Varnish;
	set resp.http.Content-Type = "application/problem+json";
	set resp.http.Cache-Control = "no-store";
	set resp.http.X-Request-Id = req.http.X-Request-Id;
	if (resp.status == 405) {
		set resp.http.Allow = "GET, HEAD, POST, OPTIONS";
	}
	if (resp.status == 503) {
		set resp.http.Retry-After = "5";
	}
	set resp.body = {"{"type":"about:blank","title":""} + resp.reason + {"","status":"} + resp.status + "}";
	return (deliver);
}

sub vcl_backend_error {
	set beresp.http.Content-Type = "application/problem+json";
	set beresp.http.Cache-Control = "no-store";
	set beresp.http.Retry-After = "5";
	set beresp.body = {"{"type":"about:blank","title":"The service cannot be reached","status":"} + beresp.status + "}";
	return (deliver);
}
