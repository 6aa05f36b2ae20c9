// A doubly linked list whose links are in its elements: linking allocates nothing and an element leaves by itself.
#pragma once

#include <cstddef>

namespace sluice::base {

class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }

  bool linked() const { return next_ != nullptr; }
  void unlink() {
    if (!linked()) return;
    prev_->next_ = next_;
    next_->prev_ = prev_;
    prev_ = next_ = nullptr;
  }

 private:
  template <typename T>
  friend class List;
  ListNode* prev_ = nullptr;
  ListNode* next_ = nullptr;
};

// T derives from ListNode (once). The list owns nothing; it unlinks what is left when it dies.
template <typename T>
class List {
 public:
  List() { head_.prev_ = head_.next_ = &head_; }
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() {
    while (!empty()) front().unlink();
    head_.prev_ = head_.next_ = nullptr;
  }

  bool empty() const { return head_.next_ == &head_; }
  T& front() { return static_cast<T&>(*head_.next_); }
  T& back() { return static_cast<T&>(*head_.prev_); }
  void pushBack(T& element) { insert(element, head_); }
  void pushFront(T& element) {
    element.unlink();  // it may be the one in front
    insert(element, *head_.next_);
  }

  // The element may be unlinked by `visit`, no other.
  template <typename Visit>
  void forEach(Visit visit) {
    for (ListNode* at = head_.next_; at != &head_;) {
      ListNode* next = at->next_;
      visit(static_cast<T&>(*at));
      at = next;
    }
  }

  // Takes all elements of `other`, in order, behind its own.
  void takeAll(List& other) {
    if (other.empty()) return;
    ListNode& first = *other.head_.next_;
    ListNode& last = *other.head_.prev_;
    first.prev_ = head_.prev_;
    head_.prev_->next_ = &first;
    last.next_ = &head_;
    head_.prev_ = &last;
    other.head_.prev_ = other.head_.next_ = &other.head_;
  }

 private:
  void insert(T& element, ListNode& before) {
    ListNode& node = element;
    node.unlink();
    node.next_ = &before;
    node.prev_ = before.prev_;
    before.prev_->next_ = &node;
    before.prev_ = &node;
  }

  ListNode head_;
};

}  // namespace sluice::base
