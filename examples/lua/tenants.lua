-- A tenant is the first label of the host: acme.shop.example. What stands outside of the functions runs once on each worker.
local plans = {acme = "gold", initech = "silver"}

function envoy_on_request(handle)
  local headers = handle:headers()
  local tenant = headers:get(":authority"):match("^(%w+)%.shop%.example$")
  local plan = tenant and plans[tenant]
  if not plan then
    handle:respond({[":status"] = "404", ["content-type"] = "text/plain"}, "no such shop\n") -- nothing behind it runs
  end
  headers:replace("x-tenant", tenant) -- in the place of what the client says
  headers:replace("x-plan", plan)
  handle:streamInfo():dynamicMetadata():set("envoy.filters.http.lua", "tenant", tenant) -- for the log
end

function envoy_on_response(handle)
  handle:headers():remove("x-powered-by")
  handle:headers():add("x-script", "tenants")
end
