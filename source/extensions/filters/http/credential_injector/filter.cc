#include "source/extensions/filters/http/credential_injector/filter.h"

#include "source/filter/context.h"
#include "source/http/rules.h"
#include "source/worker/services.h"

namespace sluice::extensions::http_filters::credential_injector {

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  if (!settings_.overwrite && headers.get(settings_.header)) {
    context.count(settings_.already_exists);
    return filter::Next{};
  }
  const std::shared_ptr<const std::string>& secret = settings_.secret->get(context.worker());
  if (secret != nullptr && !secret->empty() && http::validValue(*secret)) {
    context.count(settings_.injected);
    headers.set(settings_.header, settings_.prefix + *secret);
    return filter::Next{};
  }
  context.count(settings_.failed);
  if (settings_.allow_without) return filter::Next{};
  return filter::Reply{401, "Failed to inject credential.", "failed_to_inject_credential"};
}

}  // namespace sluice::extensions::http_filters::credential_injector
