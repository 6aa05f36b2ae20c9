#include "source/base/shared_objects.h"

#include <catch2/catch.hpp>

namespace sluice::base {
namespace {

template <typename T>
auto making(T value) {
  return [value] { return std::make_shared<T>(value); };
}

TEST_CASE("the same key gives the same object while somebody holds it, and a new one after that") {
  SharedObjects objects;
  auto held = objects.get<int>("a", making(1));
  CHECK(objects.get<int>("a", making(2)) == held);
  CHECK(*objects.get<int>("b", making(3)) == 3);

  held.reset();
  CHECK(*objects.get<int>("a", making(4)) == 4);
}

TEST_CASE("one key stands for one object of each type") {
  SharedObjects objects;
  const auto number = objects.get<int>("a", making(1));
  const auto text = objects.get<std::string>("a", making(std::string("x")));
  CHECK(*text == "x");
  CHECK(objects.get<int>("a", making(2)) == number);
}

TEST_CASE("those of a type that somebody holds are visited") {
  SharedObjects objects;
  const auto one = objects.get<int>("a", making(1)), two = objects.get<int>("", making(2));
  const auto text = objects.get<std::string>("b", making(std::string("x")));
  objects.get<int>("gone", making(4));
  int sum = 0;
  objects.forEach<int>([&sum](int number) { sum += number; });
  CHECK(sum == 3);
}

TEST_CASE("keys that come and go do not add up, and those in use stay") {
  SharedObjects objects;
  const auto held = objects.get<int>("held", making(7));
  for (int i = 0; i < 10000; ++i) objects.get<int>(std::to_string(i), making(i));
  CHECK(objects.size() <= 64);
  CHECK(objects.get<int>("held", making(8)) == held);
}

}  // namespace
}  // namespace sluice::base
