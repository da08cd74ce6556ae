-- What wrk has seen, exact and for a machine: one line of JSON after its own words, which are rounded. No percentile:
-- before this is called wrk has added samples of its own to them (stats_correct in its main).
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'LAB {"requests": %d, "duration_us": %d, "bytes": %d, "connect": %d, "read": %d, "write": %d, "status": %d, '
      .. '"timeout": %d}\n',
    summary.requests, summary.duration, summary.bytes, errors.connect, errors.read, errors.write, errors.status,
    errors.timeout))
end
