"""Clear a lock"""
