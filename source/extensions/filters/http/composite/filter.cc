#include "source/extensions/filters/http/composite/filter.h"

#include "source/filter/context.h"
#include "source/match/exchange.h"

namespace sluice::extensions::http_filters::composite {

const filter::HttpFilterFactory* Filter::choose(filter::Context& context) {
  const Choices& choices = context.settingsOr(settings_.choices);
  if (choices.matcher == nullptr) return settings_.otherwise.get();
  const match::Exchange exchange(context.request(), &context.info(), choices.matcher->needs);
  const match::Result result = choices.matcher->evaluate(exchange.data());
  if (result.state != match::Result::State::kMatched) return settings_.otherwise.get();
  const Choice& choice = choices.choices[result.action];
  if (choice.factory == nullptr || !context.sample(choice.sample)) return nullptr;
  context.count(settings_.delegated);
  return choice.factory.get();
}

}  // namespace sluice::extensions::http_filters::composite
