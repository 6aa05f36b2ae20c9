#include "source/config/cel_compiler.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

#include "google/protobuf/util/json_util.h"
#include "source/stream/attributes.h"

namespace sluice::config {
namespace {

using xds::type::v3::CelExpression;

CelExpression expressionOf(const std::string& json) {
  CelExpression out;
  if (!google::protobuf::util::JsonStringToMessage(json, &out).ok()) std::abort();
  return out;
}

// A tree without anything around it.
CelExpression parsed(const std::string& json) {
  return expressionOf(R"({"cel_expr_parsed": {"expr": )" + json + "}}");
}

// "true", "false", or what was wrong.
std::string holds(const CelExpression& expression) {
  ErrorList errors;
  const auto program = compileCelCondition(expression, Context(errors));
  if (program == nullptr) return errors.toString();
  stream::StreamInfo info;
  info.response_code = 204;
  info.connection_id = 7;
  return program->holds(stream::Attributes({.info = info})) ? "true" : "false";
}

std::string ident(const std::string& name) {
  return R"({"ident_expr": {"name": ")" + name + R"("}})";
}
std::string number(int value) {
  return R"({"const_expr": {"int64_value": ")" + std::to_string(value) + R"("}})";
}
std::string select(const std::string& operand, const std::string& field) {
  return R"({"select_expr": {"operand": )" + operand + R"(, "field": ")" + field + R"("}})";
}
std::string call(const std::string& function, const std::string& parts) {
  return R"({"call_expr": {"function": ")" + function + R"(", "args": [)" + parts + "]}}";
}

const std::string kCode = select(ident("response"), "code");

TEST_CASE("an expression comes as text or as a tree") {
  CHECK(holds(expressionOf(R"({"cel_expr_string": "response.code == 204"})")) == "true");
  CHECK(holds(parsed(call("_==_", kCode + "," + number(204)))) == "true");
  CHECK(holds(parsed(call("_==_", kCode + "," + number(200)))) == "false");
  CHECK(holds(expressionOf(R"({"cel_expr_checked": {"expr": )" + call("_>_", kCode + "," + number(200)) +
                           R"(, "type_map": {"1": {"primitive": "BOOL"}}, "expr_version": "1"}})")) == "true");
}

TEST_CASE("all kinds of nodes are taken over") {
  const std::string list = R"({"list_expr": {"elements": [)" + number(1) + "," + number(204) + "]}}";
  const std::string map =
      R"({"struct_expr": {"entries": [{"map_key": {"const_expr": {"string_value": "a"}}, "value": )" + number(204) +
      "}]}}";
  const std::string has =
      R"({"select_expr": {"operand": )" + ident("request") + R"(, "field": "path", "test_only": true}})";

  CHECK(holds(parsed(call("@in", kCode + "," + list))) == "true");
  CHECK(holds(parsed(call("_==_", select(map, "a") + "," + kCode))) == "true");
  CHECK(holds(parsed(call("!_", has))) == "true");
  CHECK(holds(parsed(call(
            "_&&_", call("_>_", kCode + "," + number(1)) + "," + call("_<_", kCode + "," + number(2))))) == "false");
  CHECK(holds(parsed(R"({"call_expr": {"target": {"const_expr": {"string_value": "abc"}}, "function": "startsWith",
                         "args": [{"const_expr": {"string_value": "ab"}}]}})")) == "true");
  // [1, 204].exists(x, x == response.code), as a parser writes it out
  CHECK(holds(parsed(R"({"comprehension_expr": {"iter_var": "x", "iter_range": )" + list +
                     R"(, "accu_var": "__result__", "accu_init": {"const_expr": {"bool_value": false}},
                         "loop_condition": )" +
                     call("@not_strictly_false", call("!_", ident("__result__"))) + R"(, "loop_step": )" +
                     call("_||_", ident("__result__") + "," + call("_==_", ident("x") + "," + kCode)) +
                     R"(, "result": )" + ident("__result__") + "}}")) == "true");
  for (const std::string value : {R"("null_value": null)", R"("uint64_value": "1")", R"("double_value": 1)",
                                  R"("string_value": "1")", R"("bytes_value": "MQ==")", R"("bool_value": true)"}) {
    INFO(value);
    CHECK(holds(parsed(call("_==_", R"({"const_expr": {)" + value + R"(}}, {"const_expr": {)" + value + "}}"))) ==
          "true");
  }
}

TEST_CASE("what a tree cannot say is refused") {
  CHECK_THAT(holds(parsed("{}")), Catch::Contains("cel_expr_parsed.expr") && Catch::Contains("is empty"));
  CHECK_THAT(holds(parsed(number(1))), Catch::Contains("has to be a bool; its value is a int"));
  CHECK_THAT(holds(parsed(R"({"const_expr": {}})")), Catch::Contains("const_expr says nothing"));
  CHECK_THAT(holds(parsed(call("nope", ""))), Catch::Contains("there is no function nope()"));
  CHECK_THAT(holds(parsed(ident("nope"))), Catch::Contains("'nope' is unknown"));
  CHECK_THAT(holds(parsed(R"({"struct_expr": {"entries": [{}]}})")), Catch::Contains("has no map_key"));
  CHECK_THAT(holds({}), Catch::Contains("has to be in one form; set one of cel_expr_string"));
  CHECK_THAT(holds(expressionOf(R"({"cel_expr_string": "true", "cel_expr_parsed": {}})")),
             Catch::Contains("has to be in one form"));
}

TEST_CASE("the depth of a tree is bounded") {
  CelExpression expression;
  auto* at = expression.mutable_cel_expr_parsed()->mutable_expr();
  for (int i = 0; i < 10'000; ++i) {
    at->mutable_call_expr()->set_function("!_");
    at = at->mutable_call_expr()->add_args();
  }
  at->mutable_const_expr()->set_bool_value(true);

  CHECK_THAT(holds(expression), Catch::Contains("nested more than 200 levels deep"));
}

}  // namespace
}  // namespace sluice::config
