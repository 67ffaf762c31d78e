-- For wrk: send the file named after `--`, and print one line of JSON when done, as go-load does.

function init(args)
  local file = assert(io.open(args[1], "rb"))
  wrk.method = "POST"
  wrk.body = file:read("*a")
  wrk.headers["Content-Type"] = "application/json"
  file:close()
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"failures":%d,"seconds":%.6f,"p50":%.6f,"p99":%.6f}\n',
    summary.requests,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    summary.duration / 1e6,
    latency:percentile(50) / 1e6,
    latency:percentile(99) / 1e6
  ))
end
