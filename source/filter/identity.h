// Who a request comes from, as a filter of authentication has found out.
//
// It is said in the same words whoever found out, so that what goes by it (RBAC, rate limits, formats of headers and of
// the log, CEL) need not know: as dynamic metadata under stream::kIdentityMetadata, where no client can write.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "source/stream/metadata.h"

namespace sluice::filter {

struct Identity {
  std::string method;         // "jwt", "api_key", "basic", ...
  std::string subject;        // whom the credential names; empty: nobody
  std::string consumer = {};  // who that is to the gateway; empty: not known
  std::vector<std::string> groups = {};
  stream::MetadataFields claims = {};  // what the credential says besides
};

// For Context::setIdentity(): made once for a credential, shared by all streams that show it.
inline std::shared_ptr<const stream::MetadataFields> identityFields(Identity identity) {
  stream::MetadataFields fields;
  const auto addText = [&](const char* name, std::string& text) {
    if (!text.empty()) fields.push_back({name, {std::move(text)}});
  };
  addText("method", identity.method);
  addText("subject", identity.subject);
  addText("consumer", identity.consumer);
  if (!identity.groups.empty()) {
    stream::MetadataList groups;
    for (std::string& group : identity.groups) groups.push_back({std::move(group)});
    fields.push_back({"groups", {std::move(groups)}});
  }
  if (!identity.claims.empty()) fields.push_back({"claims", {std::move(identity.claims)}});
  return std::make_shared<const stream::MetadataFields>(std::move(fields));
}

}  // namespace sluice::filter
