-- Nothing is done by an incarnation that is not this server's, or without its marks: the caller
-- begins one and tries again.
if not (is_own and has_marks) then
  return false
end
