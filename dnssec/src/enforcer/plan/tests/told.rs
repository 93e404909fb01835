//! What plans and explanations say.
