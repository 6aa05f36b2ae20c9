#include "source/extensions/filters/http/ldap_auth/ldap_directory.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/ascii.h"
#include "source/base/failure_delay.h"
#include "source/base/text.h"
#include "source/filter/credentials/basic_login.h"

namespace sluice::extensions::http_filters::ldap_auth {
namespace {

// Servers close what is idle; after so long it is not tried any more.
constexpr std::chrono::seconds kMaxIdle{60};
// Of one server, for what may be wrong with each login.
constexpr std::chrono::seconds kWarningInterval{10};
constexpr std::string_view kAnyEntry = "(objectClass=*)";

Answer answerOf(Answer::Kind kind) {
  return {kind, {}, {}, {}};
}

Result errorOf(std::string text) {
  return {Result::Kind::kError, std::move(text)};
}

// What is only asked for: to refuse it is an error.
bool failed(const Result& result, std::string_view what, Result& failure) {
  if (result.ok()) return false;
  failure = {result.kind == Result::Kind::kDown ? result.kind : Result::Kind::kError,
             absl::StrCat(base::toAbsl(what), ": ", result.text)};
  return true;
}

}  // namespace

LdapDirectory::LdapDirectory(DirectoryOptions options)
    : options_(std::move(options)), wanted_(wantedAttributes()), states_(options_.servers.size()) {}

std::vector<std::string> LdapDirectory::wantedAttributes() const {
  std::vector<std::string> out;
  if (!options_.name_attribute.empty()) out.push_back(options_.name_attribute);
  if (const auto* member_of = std::get_if<MemberOf>(&options_.groups)) out.push_back(member_of->attribute);
  return out;
}

Answer LdapDirectory::check(std::string_view user, std::string_view password, const std::string& secret) {
  if (user.empty() || password.empty()) return answerOf(Answer::Kind::kWrong);
  const Question question{user, password, secret};
  for (size_t server = 0; server < options_.servers.size(); ++server) {
    if (!mayAsk(server)) continue;
    if (std::optional<Answer> answer = ask(server, question)) return *std::move(answer);
  }
  return answerOf(Answer::Kind::kUnavailable);
}

std::optional<Answer> LdapDirectory::ask(size_t server, const Question& question) {
  for (std::unique_ptr<Session> session = takeSession(server);; session = newSession(server)) {
    const bool was_fresh = session->fresh;
    Result failure;
    Answer answer = askOn(*session, question, failure);
    if (failure.kind != Result::Kind::kDown) {
      wentWell(server, answer, failure);
      keepSession(std::move(session));
      return answer;
    }
    // What waited may have been closed meanwhile, and then the rest of it, too.
    dropSessions(server);
    if (was_fresh) {
      wentDown(server, failure);
      return std::nullopt;
    }
  }
}

Answer LdapDirectory::askOn(Session& session, const Question& question, Result& failure) {
  const Answer error = answerOf(Answer::Kind::kError), wrong = answerOf(Answer::Kind::kWrong);
  std::optional<Entry> entry = findUser(session, question, failure);
  if (!entry) return failure.ok() ? wrong : error;
  Connection* const login = connectionOf(session, session.login, failure);
  if (login == nullptr) return error;
  const Result bound = login->bind(entry->dn, question.password);
  if (bound.kind == Result::Kind::kRefused) return wrong;
  if (failed(bound, "to bind as a user", failure)) return error;

  const bool is_direct = std::holds_alternative<DirectBind>(options_.entry);
  if (is_direct && !wanted_.empty()) {
    SearchResult own = login->search({entry->dn, Search::Scope::kBase, std::string(kAnyEntry), wanted_, 1});
    if (failed(own.result, "to read the entry of a user in his own name", failure)) return error;
    if (own.entries.size() != 1) {
      failure = errorOf("a user may not read his own entry");
      return error;
    }
    entry = std::move(own.entries.front());
  }
  Answer out = answerOf(Answer::Kind::kRight);
  out.name = question.user;
  if (!options_.name_attribute.empty()) {
    const Entry::Values* const names = entry->find(options_.name_attribute);
    if (names == nullptr || names->size() != 1 || !filter::isUserName(names->front())) {
      failure =
          errorOf(absl::StrCat("the entry of a user has no ", options_.name_attribute, ", several or a wrong one"));
      return error;
    }
    out.name = names->front();
  }
  auto groups = groupsOf(is_direct ? *login : *session.lookup, question, *entry, failure);
  if (!groups) return error;
  out.groups = *std::move(groups);
  out.dn = std::move(entry->dn);
  return out;
}

std::optional<Entry> LdapDirectory::findUser(Session& session, const Question& question, Result& failure) {
  if (const auto* direct = std::get_if<DirectBind>(&options_.entry)) {
    return Entry{absl::StrCat(direct->attribute, "=", escaped(question.user), ",", direct->base), {}};
  }
  const auto& search = std::get<SearchBind>(options_.entry);
  const bool is_new = session.lookup == nullptr;
  Connection* const lookup = connectionOf(session, session.lookup, failure);
  if (lookup == nullptr) return std::nullopt;
  if (is_new && !search.service_dn.empty() &&
      failed(lookup->bind(search.service_dn, question.secret), "to bind as bind_dn", failure)) {
    session.lookup.reset();
    return std::nullopt;
  }
  SearchResult found = lookup->search({search.base, search.scope, search.filter.fill(question.user, {}), wanted_, 2});
  if (failed(found.result, "to search for a user", failure)) return std::nullopt;
  if (found.entries.size() == 1 && !found.has_more && !found.entries.front().dn.empty())
    return std::move(found.entries.front());
  if (!found.entries.empty()) return std::nullopt;
  // Nobody's password takes a bind as well, so that time does not tell who is there.
  if (Connection* const login = connectionOf(session, session.login, failure)) {
    (void)failed(login->bind(absl::StrCat("cn=nobody,", search.base), question.password), "", failure);
    if (failure.kind != Result::Kind::kDown) failure = {};
  }
  return std::nullopt;
}

std::optional<std::vector<std::string>> LdapDirectory::groupsOf(Connection& connection, const Question& question,
                                                                const Entry& entry, Result& failure) {
  std::vector<std::string> out;
  if (const auto* member_of = std::get_if<MemberOf>(&options_.groups)) {
    const std::string part = member_of->attribute + ';';  // "memberOf;range=0-1499"
    for (const auto& [name, values] : entry.attributes) {
      if (!base::equalsIgnoringCase(std::string_view(name).substr(0, part.size()), part)) continue;
      failure = errorOf("the groups of a user come in parts; use a search for them");
      return std::nullopt;
    }
    if (const Entry::Values* const groups = entry.find(member_of->attribute)) {
      for (const std::string& dn : *groups) {
        if (auto name = groupName(dn, member_of->base)) out.push_back(*std::move(name));
      }
    }
  } else if (const auto* search = std::get_if<GroupSearch>(&options_.groups)) {
    const SearchResult found = connection.search({search->base,
                                                  search->scope,
                                                  search->filter.fill(question.user, entry.dn),
                                                  {search->attribute},
                                                  kMaxGroups + 1});
    if (failed(found.result, "to search for groups", failure)) return std::nullopt;
    if (found.has_more) {
      failure = errorOf("a user is in more groups than the server tells of");
      return std::nullopt;
    }
    for (const Entry& group : found.entries) {
      if (const Entry::Values* const names = group.find(search->attribute)) {
        out.insert(out.end(), names->begin(), names->end());
      }
    }
  }
  if (out.size() <= kMaxGroups) return out;
  failure = errorOf(absl::StrCat("a user is in more than ", kMaxGroups, " groups"));
  return std::nullopt;
}

Connection* LdapDirectory::connectionOf(Session& session, std::unique_ptr<Connection>& place, Result& failure) {
  if (place != nullptr) return place.get();
  auto opened = Connection::open(options_.servers[session.server], options_.tls, options_.timeouts, sockets_);
  if (opened.ok()) {
    place = *std::move(opened);
  } else {
    failure = {Result::Kind::kDown, std::string(opened.status().message())};
  }
  return place.get();
}

std::unique_ptr<LdapDirectory::Session> LdapDirectory::newSession(size_t server) {
  return std::make_unique<Session>(Session{server, nullptr, nullptr, {}});
}

std::unique_ptr<LdapDirectory::Session> LdapDirectory::takeSession(size_t server) {
  const event::TimePoint now = event::Clock::now();
  std::vector<std::unique_ptr<Session>> old;  // closed without the lock
  const std::lock_guard lock(mutex_);
  const auto is_old = [&](const auto& session) { return session->used + kMaxIdle < now; };
  const auto first_old = std::partition(idle_.begin(), idle_.end(), std::not_fn(is_old));
  std::move(first_old, idle_.end(), std::back_inserter(old));
  idle_.erase(first_old, idle_.end());
  const auto found =
      std::find_if(idle_.begin(), idle_.end(), [&](const auto& session) { return session->server == server; });
  if (found == idle_.end()) return newSession(server);
  std::unique_ptr<Session> out = std::move(*found);
  idle_.erase(found);
  return out;
}

void LdapDirectory::keepSession(std::unique_ptr<Session> session) {
  session->fresh = false;
  session->used = event::Clock::now();
  const std::lock_guard lock(mutex_);
  if (idle_.size() < options_.max_idle) idle_.push_back(std::move(session));
}

void LdapDirectory::dropSessions(size_t server) {
  std::vector<std::unique_ptr<Session>> dropped;
  const std::lock_guard lock(mutex_);
  const auto first =
      std::partition(idle_.begin(), idle_.end(), [&](const auto& session) { return session->server != server; });
  std::move(first, idle_.end(), std::back_inserter(dropped));
  idle_.erase(first, idle_.end());
}

bool LdapDirectory::mayAsk(size_t server) {
  const std::lock_guard lock(mutex_);
  return states_[server].failures == 0 || states_[server].retry_at <= event::Clock::now();
}

void LdapDirectory::wentWell(size_t server, const Answer& answer, const Result& failure) {
  const bool is_error = answer.kind == Answer::Kind::kError;
  bool is_back, is_news;
  {
    const std::lock_guard lock(mutex_);
    ServerState& state = states_[server];
    is_back = std::exchange(state.failures, 0) > 0;
    const event::TimePoint now = event::Clock::now();
    is_news = is_error && now >= state.next_warning;
    if (is_news) state.next_warning = now + kWarningInterval;
  }
  const std::string& name = options_.servers[server].text;
  if (is_back) options_.warn(absl::StrCat(name, " answers again"));
  if (is_news) options_.warn(absl::StrCat(name, ": ", failure.text));
}

void LdapDirectory::wentDown(size_t server, const Result& failure) {
  if (sockets_.stopped()) return;
  bool is_news;
  {
    const std::lock_guard lock(mutex_);
    ServerState& state = states_[server];
    is_news = ++state.failures == 1;
    state.retry_at = event::Clock::now() + base::failureDelay(state.failures, kFirstWait, kLastWait, random_);
  }
  if (is_news) options_.warn(absl::StrCat(options_.servers[server].text, " is down: ", failure.text));
}

}  // namespace sluice::extensions::http_filters::ldap_auth
