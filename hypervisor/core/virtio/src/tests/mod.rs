mod damage;
mod driver;
mod fuzz;
mod models;
mod registers;
mod switch;
